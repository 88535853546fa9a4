// Runs the test files named by its environment one after the other, each in a test of its own. One that leaves something
// behind for the next has failed.
import { relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import tap from 'tap'
import { runAs } from './current.js'

/** A closed socket or timer takes a moment to be gone. */
const GONE_MS = 10_000

// Not arguments: tap names the folders of a test after those.
const { tree, files } = JSON.parse(process.env.TEST_GROUP)
delete process.env.TEST_GROUP
const globals = Object.getOwnPropertyNames(globalThis)

/** What files of one process share. */
function lookAround () {
  return {
    env: { ...process.env },
    cwd: process.cwd(),
    globals: Object.fromEntries(globals.map((name) => [name, globalThis[name]])),
    listeners: Object.fromEntries(process.eventNames().map((name) => [name, process.listeners(name)])),
    resources: process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name === 'TCPServerWrap')
  }
}

/** The kinds of things that are not as they were, once they have had time to be gone. */
async function changesSince (before) {
  const deadline = Date.now() + GONE_MS
  for (;;) {
    const now = lookAround()
    const changes = Object.keys(now).filter((kind) => !isDeepStrictEqual(now[kind], before[kind]))
    if (changes.length === 0 || Date.now() > deadline) return changes
    await sleep(10)
  }
}

// Each file has its own time, or sets it.
tap.setTimeout(0)
const timeout = Number(process.env.TAP_TIMEOUT) * 1000
let before
for (const file of files) {
  const name = relative(tree, file)
  await tap.test(name, { timeout }, (t) => {
    // tap itself listens to the process once its first test has begun.
    before ??= lookAround()
    return runAs(t, () => import(pathToFileURL(file).href))
  })
  const changes = file === files.at(-1) ? [] : await changesSince(before)
  if (changes.length > 0) tap.fail(`${name} leaves ${changes.join(' and ')} behind for the files after it`)
}

// What a failed test left running would hold the process.
if (!tap.passing()) process.exit(1)
