import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

/** Runs Node. What the process covers is not counted: it depends on how the process ends, and on what tsx makes of a file. */
function spawnNode (args: string[], options: SpawnOptions): ChildProcess {
  return spawn(process.execPath, args, { ...options, env: { ...(options.env ?? process.env), NODE_V8_COVERAGE: '' } })
}

/** Runs a TypeScript file of the repository in a process of its own, as the JavaScript that the test runner has made of it. */
export function spawnScript<Child extends ChildProcess = ChildProcess> (file: string, args: string[], options: SpawnOptions): Child {
  return spawnNode([file.replace(/\.ts$/, '.js'), ...args], options) as Child
}

/** Runs a TypeScript file as its users do, for one whose threads load TypeScript too. */
export function spawnTypeScript<Child extends ChildProcess = ChildProcess> (file: string, args: string[], options: SpawnOptions): Child {
  return spawnNode(['--import', 'tsx', file, ...args], options) as Child
}
