import type { RecordedRequest } from './recorded-request.js'

/** How many requests may be other than before in one update. To write all of them at once would hold up other requests. */
const MAX_CHANGED = 40

/** The requests as the viewers of an overview have them. Under load, the newest go first. */
export class ShownRequests {
  #shown: ReadonlyMap<string, string> | undefined = undefined

  /** Writes the entries of the requests, which come oldest first. Returns whether they are up to date: the first time they all are. */
  write (requests: readonly RecordedRequest[], entries: Map<string, string>): boolean {
    const before = this.#shown
    const shown = new Map<string, string>()
    let left = before === undefined ? Infinity : MAX_CHANGED
    for (let index = requests.length - 1; index >= 0; index--) {
      const request = requests[index]!
      const key = `request:${request.number}`
      const known = before?.get(key)
      const text = left > 0 ? request.text : known
      if (text !== known) left--
      if (text === undefined) continue
      shown.set(key, text)
      entries.set(key, text)
    }
    this.#shown = shown
    return left > 0
  }
}
