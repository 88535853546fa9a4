import { createRequire, register } from 'node:module'
import t from 'tap'
import type { ThreadOutcome } from '../../lib/threads/call.js'
import { run } from '../../lib/threads/entry.cjs'
import { fixture } from '../support/threads.js'

const require = createRequire(import.meta.url)

register('../fixtures/hooks/unknown-extension.js', import.meta.url)

/** Calls in this thread what runs in the others. */
function call (file: string, payload: unknown = {}): Promise<ThreadOutcome> {
  return run({ key: 1, file: fixture(file).href, payload, id: 'a', name: 'work', attempt: 2 })
}

t.test('the thread gives the result, how often progress was reported, and what was said last', async (t) => {
  t.same(await call('double.js', { n: 2 }), { result: 4, reports: 0, progress: '' })
  t.same(await call('progress.js', { values: [0.1, { of: 3 }] }), { result: 'done', reports: 2, progress: '{"of":3}' })
  t.match(await call('where.js'), { result: { id: 'a', name: 'work', attempt: 2 } })
})

for (const file of ['double.cjs', 'compiled.cjs']) {
  t.test(`the function is found in ${file}`, async (t) => {
    t.match(await call(file, { n: 2 }), { result: 4 })
  })
}

t.test('a file that Node cannot import is required, if something has taught that to require', async (t) => {
  t.match(await call('double.answer', { n: 2 }), { isFileAtFault: true, thrown: { fields: { code: 'ERR_UNKNOWN_FILE_EXTENSION' } } })
  t.teardown(() => { delete require.extensions['.answer'] })
  for (const [exported, result] of [[() => 42, 42], [{ default: () => 43 }, 43]] as const) {
    require.extensions['.answer'] = (module) => { module.exports = exported }
    t.match(await call('double.answer'), { result })
    delete require.cache[require.resolve('../fixtures/threads/double.answer')]
  }
})

for (const [kind, thrown] of Object.entries({
  error: { value: Error, name: 'OrderError', fields: { code: 'E_ORDER', details: { line: 3 } } },
  'error with a cause that cannot be cloned': { value: { message: 'no such item', cause: undefined }, name: 'OrderError' },
  'aborted signal': { value: Error, name: 'AbortError' },
  'progress that is not JSON': { value: { message: 'progress must be JSON, received undefined' }, name: 'TypeError' },
  null: { value: null, name: undefined },
  function: { value: '[Function: item]', name: undefined }
})) {
  t.test(`what is thrown can be cloned: ${kind}`, async (t) => {
    const outcome = await call('failures.js', { kind })
    t.match(outcome, { thrown, reports: 0 })
    t.doesNotThrow(() => structuredClone(outcome))
    t.notOk('retry' in (outcome.thrown?.fields ?? {}))
  })
}

t.test('a plain error without a stack is made of one that has none', async (t) => {
  const outcome = await call('failures.js', { kind: 'error without a stack' })
  t.match(outcome.thrown, { value: { message: 'no such item', stack: /^Error: no such item/ } })
})

for (const [file, payload, message] of [
  ['no-function.js', {}, 'its default export must be a function, received { n: 1 }'],
  ['failures.js', { kind: 'result that cannot be cloned' }, 'its result cannot be copied, received { undo: [Function: undo] }']
] as const) {
  t.test(`${file} is at fault: ${message}`, async (t) => {
    t.match(await call(file, payload), { isFileAtFault: true, thrown: { value: { message }, name: 'TypeError' } })
  })
}
