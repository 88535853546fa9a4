import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from './compile.js'

/** Ends a process whose own time limits do not end it: its event loop is blocked. */
const BLOCKED_MS = 600_000
/** The time of a test file that sets none, in seconds. */
const TIMEOUT = '60'

/** What a process that has ended may still have to say. A process that it left behind could hold its output for ever. */
const LAST_WORDS_MS = 1000

/** The failed tests with what was expected and found: the parts of the protocol that speak of none that passed. */
function withoutPassed (output) {
  let diagnosis = false
  return output.split('\n').filter((line) => {
    if (/^ *not ok /.test(line)) diagnosis = true
    else if (/^ *(ok |# Subtest|\d+\.\.|# \{|# time)/.test(line)) diagnosis = false
    return diagnosis
  }).join('\n')
}

const running = new Set()
process.on('exit', () => { for (const child of running) child.kill() })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

/** Runs the files in a process and resolves to what it says of them. */
export async function runGroup (tree, files, { nodeOptions, coverage }) {
  const compiled = files.map((file) => join(tree, file.replace(/ts$/, 'js')))
  const child = spawn(process.execPath, [...nodeOptions, join(root, 'test/runner/group.js')], {
    cwd: root,
    env: {
      ...process.env,
      TAP_TIMEOUT: TIMEOUT,
      TEST_GROUP: JSON.stringify({ tree, files: compiled }),
      ...(coverage !== undefined && { NODE_V8_COVERAGE: coverage })
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: BLOCKED_MS,
    killSignal: 'SIGKILL'
  })
  running.add(child)
  child.once('exit', () => { running.delete(child) })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => { output += chunk })
  child.stderr.setEncoding('utf8').on('data', (chunk) => { errors += chunk })
  const closed = once(child, 'close')
  const [code, signal] = await once(child, 'exit')
  // The open output keeps this process alive, and the timer must not when the output has ended.
  await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { ref: false })])
  child.stdout.destroy()
  child.stderr.destroy()
  const count = (what) => Number(new RegExp(`^# \\{ total: .*\\b${what}: (\\d+)`, 'm').exec(output)?.[1] ?? 0)
  const lines = [...output.matchAll(/^(?:not )?ok \d+ - .*$/gm)].map(([line]) => line.replace(/ \d+ -/, '').replace(/\.js\b/, '.ts'))
  const isWhole = /^# \{ total: /m.test(output) && lines.length >= files.length
  const passed = count('pass')
  if (code === 0 && isWhole) return { passed, failed: 0, lines }
  const end = isWhole ? '' : `# ended early (${signal ?? code}): ${files.join(' ')}\n`
  return { passed, failed: Math.max(count('fail'), 1), lines, failure: `${withoutPassed(output)}\n${end}${errors}` }
}
