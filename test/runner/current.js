import tap from 'tap'

/** What a test file imports as tap: in a process that runs files one after the other, the test of that file. */
export let current = tap

export function runAs (test, run) {
  current = test
  return run()
}
