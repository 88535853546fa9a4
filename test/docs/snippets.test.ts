import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { blocksIn, pageAt, pages } from '../support/pages.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RabbitmqServer, withoutRabbitmq } from '../support/rabbitmq.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { findProgram, skipWithout } from '../support/server-process.js'
import type { Checks, Names } from '../support/snippet-names.js'
import { startSmtpServer } from '../support/smtp.js'
import { complete, fromSources, needsPostgres, needsRabbitmq, needsRedis, needsSmtp, parts } from '../support/snippets.js'
import { showsDashboard } from './checks/common.js'
import { guide } from './checks/guide.js'
import { bullmq, celery, fastapi, nextAfter } from './checks/migrating.js'
import { readme } from './checks/readme.js'
import { recipes } from './checks/recipes.js'
import { engines, namedTasks, production, redisAndPostgresql, testing } from './checks/stores.js'

const checks: Record<string, Checks> = {
  'README.md': readme,
  'docs/guide.md': guide,
  'docs/named-tasks.md': namedTasks,
  'docs/redis-postgresql.md': redisAndPostgresql,
  'docs/production.md': production,
  'docs/testing.md': testing,
  'docs/engines.md': engines,
  'docs/recipes.md': recipes,
  'docs/dashboard.md': { Mounting: showsDashboard },
  'docs/migrating/fastapi.md': fastapi,
  'docs/migrating/celery.md': celery,
  'docs/migrating/bullmq.md': bullmq,
  'docs/migrating/next-after.md': nextAfter
}

t.setTimeout(180_000)

/** Takes back the listeners that a part puts on the process, such as those of close-with-grace. */
function keepListeners (t: Test): void {
  const before = new Map(process.eventNames().map((name) => [name, process.listeners(name as NodeJS.Signals)]))
  t.teardown(() => {
    for (const name of process.eventNames()) {
      for (const listener of process.listeners(name as NodeJS.Signals)) {
        if (before.get(name)?.includes(listener) !== true) process.off(name, listener)
      }
    }
  })
}

for (const block of parts) {
  const { page, line, key } = block
  const skip = (needsRedis(block) && withoutRedis) || (needsPostgres(block) && withoutPostgres) || (needsRabbitmq(block) && withoutRabbitmq)
  t.test(`the part at ${page}:${line} (${key}) does what it says`, { skip }, async (t) => {
    keepListeners(t)
    if (needsRedis(block)) {
      const redis = await RedisServer.start()
      t.teardown(() => redis.stop())
      process.env['DOCS_REDIS_PORT'] = String(redis.port)
    }
    if (needsPostgres(block)) {
      const postgres = await PostgresServer.start()
      t.teardown(() => postgres.stop())
      process.env['DOCS_POSTGRES_URL'] = postgres.connectionString
    }
    if (needsRabbitmq(block)) {
      const rabbitmq = await RabbitmqServer.start()
      t.teardown(() => rabbitmq.stop())
      process.env['RABBITMQ_URL'] = rabbitmq.url
    }
    if (needsSmtp(block)) process.env['DOCS_SMTP_PORT'] = String(await startSmtpServer(t))
    const { outputText } = ts.transpileModule(complete(block), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
    })
    const folder = t.testdir({ 'part.mjs': fromSources(outputText) })
    const names = await import(pathToFileURL(join(folder, 'part.mjs')).href) as Names
    t.teardown(() => names.app.close())
    await names.app.ready()
    await checks[page]?.[key]?.(t, names)
  })
}

t.test('every check belongs to a part', async (t) => {
  for (const [path, ofPage] of Object.entries(checks)) {
    const known = pageAt(path).blocks.filter(({ language }) => language === 'ts').map(({ key }) => key)
    t.same(Object.keys(ofPage).filter((key) => !known.includes(key)), [], path)
  }
})

t.test('every block is in a language that a test reads', async (t) => {
  const read = ['ts', 'js', 'sh', 'json', 'yaml', 'ini', 'python', 'tsx', 'typescript', 'mermaid']
  t.same(pages.flatMap(({ blocks }) => blocks).filter(({ language }) => !read.includes(language)), [])
})

const python = findProgram('python3')

for (const { page, line, text } of blocksIn('python')) {
  t.test(`the Python at ${page}:${line} is Python`, { skip: skipWithout('python3', python) }, async (t) => {
    t.doesNotThrow(() => execFileSync(python!, ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: text }))
  })
}

for (const language of ['tsx', 'typescript']) {
  for (const { page, line, text } of blocksIn(language)) {
    t.test(`the code of another framework at ${page}:${line} is TypeScript`, async (t) => {
      const { diagnostics = [] } = ts.transpileModule(text, {
        fileName: `block.${language === 'tsx' ? 'tsx' : 'ts'}`,
        reportDiagnostics: true,
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, experimentalDecorators: true }
      })
      t.same(diagnostics.map(({ messageText }) => messageText), [])
    })
  }
}
