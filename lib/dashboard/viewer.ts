import type { PassThrough } from 'node:stream'
import type { Feed, Viewer } from './feed.js'

/** Makes a viewer. One that reads slowly misses changes, and gets the whole view again when it has read the rest. */
export function createViewer (stream: PassThrough, feed: Feed): Viewer {
  /** Whether the next event has the whole view. */
  let isBehind = true

  const update: Viewer['update'] = (changes) => {
    if (stream.writableEnded || stream.destroyed) return
    if (stream.writableNeedDrain) {
      isBehind = true
      return
    }
    const event = isBehind ? feed.whole() : changes
    if (event === undefined) return
    isBehind = false
    stream.write(event)
  }
  stream.on('drain', () => { if (isBehind) update(undefined) })
  const viewer = { update }
  feed.viewers.add(viewer)
  update(undefined)
  return viewer
}
