import tap from 'tap'

/** What a test file imports as tap: in a process that runs files one after the other, the test of that file. */
let current = tap
export { current as default, current as t }
export * from 'tap'

/** Local names come before those of tap. */
export const test = (...args) => current.test(...args)

export function runAs (fileTest, run) {
  current = fileTest
  return run()
}
