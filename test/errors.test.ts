import { readFile, readdir } from 'node:fs/promises'
import t from 'tap'
import { errors } from '../index.js'

/** Every error code with its HTTP status, as the README lists them. */
const codes: Record<string, number> = {
  FST_BGT_CANCELLED: 500,
  FST_BGT_CLOSED: 503,
  FST_BGT_CLOSING: 500,
  FST_BGT_DUPLICATE_TASK: 500,
  FST_BGT_ENGINE: 503,
  FST_BGT_FULL: 503,
  FST_BGT_IDLE_TIMEOUT: 500,
  FST_BGT_INVALID_OPTIONS: 500,
  FST_BGT_INVALID_PAYLOAD: 500,
  FST_BGT_INVALID_TASK: 500,
  FST_BGT_THREAD: 500,
  FST_BGT_TIMEOUT: 500
}

t.test('the errors are those of the list', async (t) => {
  t.same(Object.keys(errors).sort(), Object.keys(codes))
  for (const [key, ErrorClass] of Object.entries(errors)) {
    const error = new (ErrorClass as new (...args: unknown[]) => Error & { code: string, statusCode: number })('a', 'b')
    t.equal(error.code, key)
    t.equal(error.name, 'FastifyError')
    t.equal(error.statusCode, codes[key])
    t.ok(error instanceof Error)
    t.ok(error instanceof ErrorClass)
    t.not(error.message, '')
  }
})

t.test('an error can be told by its class, and no other', async (t) => {
  const timeout = new errors.FST_BGT_TIMEOUT('work', 10)
  t.ok(timeout instanceof errors.FST_BGT_TIMEOUT)
  t.notOk(timeout instanceof errors.FST_BGT_FULL)
  t.equal(timeout.message, 'task "work" timed out after 10 ms')
})

t.test('a name or a value with a percent sign is not taken for a format', async (t) => {
  t.equal(new errors.FST_BGT_TIMEOUT('100%d %s', 10).message, 'task "100%d %s" timed out after 10 ms')
  t.equal(new errors.FST_BGT_INVALID_TASK('rule', '"%s %d"').message, 'rule, received "%s %d"')
})

t.test('each error is thrown by the source and expected by a test', async (t) => {
  const read = async (folder: string): Promise<string> => {
    const url = new URL(folder, import.meta.url)
    const names = await readdir(url, { recursive: true })
    const sources = names.filter((name) => name.endsWith('.ts') && !name.endsWith('errors.ts') && !name.endsWith('errors.test.ts'))
    const texts = await Promise.all(sources.map((name) => readFile(new URL(name, url), 'utf8')))
    return texts.join('\n')
  }
  const [source, tests] = [await read('../lib/'), await read('./')]
  t.same(Object.keys(codes).filter((code) => !source.includes(`new errors.${code}(`)), [])
  t.same(Object.keys(codes).filter((code) => !tests.includes(`'${code}'`)), [])
})
