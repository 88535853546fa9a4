import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { spawnScript } from '../support/child.js'

const scenes = fileURLToPath(new URL('../fixtures/exit.ts', import.meta.url))

t.test('no timer is left behind by a closed app, nor by one that is only ready: the process ends by itself', async (t) => {
  const child = spawnScript<ChildProcessByStdio<null, Readable, null>>(scenes, [], { stdio: ['ignore', 'pipe', 'inherit'], timeout: 30_000 })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  t.equal(code, 0)
  const lines = output.trim().split('\n')
  t.equal(lines.pop(), 'end')
  t.ok(lines.length >= 8)
  t.same(lines.filter((line) => !line.endsWith(': nothing')), [])
})
