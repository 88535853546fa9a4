import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { root } from './compile.js'

/** Files of a room that share a process: few enough that two processes end at about the same time. */
const MAX_FILES = 8

/** Whether the file, or what it imports of the repository, imports the module. */
function reaches (file, module, imports, seen = new Set()) {
  if (seen.has(file)) return false
  seen.add(file)
  return (imports.get(file) ?? []).some((path) => path === module || reaches(path, module, imports, seen))
}

const contains = (file, pattern) => pattern.test(readFileSync(join(root, file), 'utf8'))
/** Hooks on modules stay until their process ends. */
const hooksModules = (file) => contains(file, /\bregister\b.* from 'node:module'/)
/** A file that allows itself more time than others takes longer than they do. */
const takesLong = (file) => contains(file, /^t\.setTimeout\(/m)

/**
 * The test files of each process. A file that starts processes waits most of the time and has one of its own, and so does
 * one that changes how modules load. The others run one after the other with their neighbours.
 */
export function planGroups (files, imports, quick) {
  const alone = []
  const rooms = new Map()
  for (const file of files) {
    const startsProcesses = reaches(file.replace(/ts$/, 'js'), 'node:child_process', imports)
    if (startsProcesses || hooksModules(file)) {
      if (!quick || !startsProcesses) alone.push([file])
      continue
    }
    const room = posix.dirname(file)
    const groups = rooms.get(room) ?? [[]]
    rooms.set(room, groups)
    if (groups.at(-1).length === MAX_FILES) groups.push([])
    groups.at(-1).push(file)
  }
  // The longest first, or one of them runs when all others have ended.
  alone.sort(([a], [b]) => Number(takesLong(b)) - Number(takesLong(a)))
  return [...alone, ...[...rooms.values()].flat().sort((a, b) => b.length - a.length)]
}
