import type { FastifyInstance } from 'fastify'
import { nextTurn } from './turns.js'

/** A plugin that notes when its onClose hook runs. */
export function noteClose (events: string[], name: string): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    app.addHook('onClose', async () => { events.push(`${name} closed`) })
  }
}

/** A task of several turns of the event loop, which notes its end. */
export function slowTask (events: string[], name: string): () => Promise<void> {
  return async () => {
    for (let turns = 0; turns < 5; turns++) await nextTurn()
    events.push(name)
  }
}
