import { join } from 'node:path'

/**
 * Where the built page may be: as seen from the sources, and as seen from a build. In a bundle, this function throws or no file is
 * there.
 */
export function pageFolders (): string[] {
  return [join(__dirname, '../../dist/dashboard'), join(__dirname, '../../../dashboard')]
}
