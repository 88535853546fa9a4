import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Starts a file of this folder in a process of its own: TypeScript under tsx, or what it was compiled to. */
export function startProcess (name: string, args: string[] = []): ChildProcess {
  return fork(fileURLToPath(new URL(name + extname(import.meta.url), import.meta.url)), args)
}
