// Runs all steps of `npm test`, two at a time: the unit tests wait most of the time, the other steps do not.
// What a step says comes in one piece when it has ended, with a line of totals.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { root } from './compile.js'

const lanes = [['test:unit'], ['lint', 'typecheck', 'test:types', 'test:package']]
/** Steps that count nothing themselves. */
const uncounted = ['lint', 'typecheck']

const running = new Set()
process.on('exit', () => { for (const child of running) child.kill() })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

async function runStep (step) {
  const started = performance.now()
  const child = spawn('npm', ['run', step], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => { output += chunk })
  const [code] = await once(child, 'close')
  running.delete(child)
  console.log(output)
  const failed = code === 0 ? 0 : 1
  if (uncounted.includes(step)) console.log(`# { total: 1, pass: ${1 - failed}, fail: ${failed} }`)
  console.log(`# ${step} has ${failed === 0 ? 'passed' : 'failed'} in ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
  if (failed > 0) process.exitCode = 1
}

await Promise.all(lanes.map(async (steps) => {
  for (const step of steps) await runStep(step)
}))
