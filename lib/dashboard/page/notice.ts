/** What is said of the last action, and who hears of it. */
const SHOWN_MS = 12_000
const listeners = new Set<(text: string) => void>()
let timer: ReturnType<typeof setTimeout> | undefined

function tell (text: string): void {
  for (const listener of listeners) listener(text)
}

export function announce (text: string): void {
  clearTimeout(timer)
  tell(text)
  timer = setTimeout(tell, SHOWN_MS, '')
}

export function onNotice (listener: (text: string) => void): () => void {
  listeners.add(listener)
  return () => { listeners.delete(listener) }
}
