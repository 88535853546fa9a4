import { extname, join } from 'node:path'

/** The path of the file that threads start from. In a bundle it leads nowhere, or there is none and this throws. */
export function entryPath (): string {
  return join(__dirname, `entry${extname(__filename)}`)
}
