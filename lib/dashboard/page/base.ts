/** The URL that the stream and the actions are below, whether the page was opened with a slash at its end or without. */
export const base = location.pathname + (location.pathname.endsWith('/') ? '' : '/')

const ownScript = new URL(import.meta.url).searchParams.get('asset')
const RELOADED = 'background-tasks.reloaded'

/**
 * Loads the page again where the server is of another build. Once a build: with builds behind one address that take turns, the page
 * that comes may never be that of the stream.
 */
export function reloadFor (script: string): void {
  if (script === ownScript) return
  try {
    const reloaded = sessionStorage.getItem(RELOADED)?.split(' ') ?? []
    if (reloaded.includes(script)) return
    sessionStorage.setItem(RELOADED, [...reloaded, script].join(' '))
  } catch {
    // Without a memory of its own the page would load itself for ever.
    return
  }
  location.reload()
}
