import { isAbsolute } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The URL of a file that is given as a file: URL or as an absolute path. Undefined for any other value. */
export function taskFileUrl (file: unknown): string | undefined {
  if (typeof file === 'string' && isAbsolute(file)) return pathToFileURL(file).href
  if (typeof file !== 'string' && !(file instanceof URL)) return undefined
  try {
    const url = new URL(file)
    fileURLToPath(url)
    return url.href
  } catch {
    return undefined
  }
}
