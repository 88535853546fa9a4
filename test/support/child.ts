import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

/**
 * Runs a TypeScript file in a process of its own, as its users do. The test runner adds its loaders to NODE_OPTIONS as it
 * spawns, so they have to go later: what they would report of a file that tsx has compiled spoils the coverage.
 */
export function spawnScript<Child extends ChildProcess = ChildProcess> (file: string, args: string[], options: SpawnOptions): Child {
  return spawn('env', ['NODE_OPTIONS=', process.execPath, '--import', 'tsx', file, ...args], options) as Child
}
