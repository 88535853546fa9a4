import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

/**
 * Runs a file in a process of its own: a TypeScript file as the JavaScript that the test runner has made of it. What such
 * a process covers is not counted, as it depends on how the process ends.
 */
export function spawnScript<Child extends ChildProcess = ChildProcess> (file: string, args: string[], options: SpawnOptions): Child {
  const env = { ...(options.env ?? process.env), NODE_V8_COVERAGE: '' }
  return spawn(process.execPath, [file.replace(/\.ts$/, '.js'), ...args], { ...options, env }) as Child
}
