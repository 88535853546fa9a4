import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { spawnScript } from '../support/child.js'
import { postJson } from '../support/documented-program.js'
import { pageAt, root } from '../support/pages.js'
import { fromSources } from '../support/snippets.js'

t.setTimeout(120_000)

const CHILD_TIMEOUT_MS = 60_000

const [main = '', use = '', ...others] = pageAt('docs/migrating/nestjs.md').blocks
  .filter(({ language }) => language === 'typescript').map(({ text }) => text)

/** What the page takes for granted. The task of the controller ends once `release` is called. */
const functions = `
let release
const released = new Promise((resolve) => { release = resolve })
async function sendWelcomeEmail (email) {
  await released
  console.log('task', email)
}
function refreshPrices () { console.log('prices') }
`

/** Writes the order of the shutdown hooks. */
const moduleFile = `
import { Inject, Module } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import { PricesService, SignupController, release } from './use.js'

class Pool {
  constructor (host, prices) {
    this.host = host
    this.prices = prices
  }

  onApplicationBootstrap () { this.prices.refresh() }

  async onModuleDestroy () {
    if (process.env.WAIT_FOR_IDLE) {
      release()
      await this.host.httpAdapter.getInstance().backgroundTasks.idle()
    }
    console.log('onModuleDestroy')
  }

  beforeApplicationShutdown () {
    console.log('beforeApplicationShutdown')
    release()
  }

  onApplicationShutdown () { console.log('onApplicationShutdown') }
}
Inject(HttpAdapterHost)(Pool, undefined, 0)
Inject(PricesService)(Pool, undefined, 1)

export class AppModule {}
Module({ controllers: [SignupController], providers: [PricesService, Pool] })(AppModule)
`

function toJavaScript (text: string): string {
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, experimentalDecorators: true }
  })
  return fromSources(outputText)
}

/** Starts the app of the page, posts one sign-up, stops the app, and resolves to the lines that it wrote itself. */
async function linesOfALife (t: Test, env: Record<string, string>): Promise<string[]> {
  const folder = t.testdir({
    'main.js': `${toJavaScript(main.replace('app.listen(3000,', 'app.listen(0,'))}\nconsole.log('url', await app.getUrl())\n`,
    'use.js': `${functions}${toJavaScript(use)}\nexport { release }\n`,
    'app.module.js': moduleFile
  })
  const child = spawnScript<ChildProcessByStdio<null, Readable, null>>(join(folder, 'main.js'), [], {
    cwd: root, stdio: ['ignore', 'pipe', 'inherit'], timeout: CHILD_TIMEOUT_MS, env: { ...process.env, ...env }
  })
  const closed = once(child, 'close')
  t.teardown(() => child.kill('SIGKILL'))
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith('url ')) {
      const response = await postJson(`${line.slice('url '.length)}/signup`, {})
      t.same(await response.json(), { welcome: 'ann@example.com' })
      child.kill('SIGTERM')
    } else if (!line.includes('Nest')) {
      lines.push(line)
    }
  }
  await closed
  return lines
}

t.test('the page has the two parts that run here', async (t) => {
  t.ok(main.includes('listen(3000,'))
  t.ok(use.includes('class SignupController'))
  t.same(others, [])
})

t.test('under NestJS tasks run until the adapter has closed, before onApplicationShutdown', async (t) => {
  t.same(await linesOfALife(t, {}), ['prices', 'onModuleDestroy', 'beforeApplicationShutdown', 'task ann@example.com', 'onApplicationShutdown'])
})

t.test('an onModuleDestroy hook that awaits idle goes on behind the tasks', async (t) => {
  t.same(await linesOfALife(t, { WAIT_FOR_IDLE: 'yes' }),
    ['prices', 'task ann@example.com', 'onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'])
})
