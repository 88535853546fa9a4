import { createRequire } from 'node:module'
import { QueueEvents } from 'bullmq'
import type { Test } from 'tap'

// Without types of its own.
const { Client } = createRequire(import.meta.url)('pg')

interface Emitter {
  emit (event: string, ...args: any[]): boolean
}

/** Has the workers of this process miss each bell. Returns how often it has rung. */
export function muteBell (t: Test): () => number {
  let rings = 0
  function mute (emitter: Emitter, isBell: (event: string, ...args: any[]) => boolean): void {
    const { emit } = emitter
    t.intercept(emitter, 'emit', {
      value (this: Emitter, event: string, ...args: any[]) {
        if (!isBell(event, ...args)) return emit.call(this, event, ...args)
        rings++
        return false
      }
    })
  }
  mute(QueueEvents.prototype, (event) => event === 'cancel')
  mute(Client.prototype, (event, notification) => event === 'notification' && String(notification.payload).endsWith('.cancelled'))
  return () => rings
}
