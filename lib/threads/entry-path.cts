import { extname, join } from 'node:path'

/** The path of the file that threads start from. In a bundle, no file is at the path, or this function throws. */
export function entryPath (): string {
  return join(__dirname, `entry${extname(__filename)}`)
}
