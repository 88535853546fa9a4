import type { App } from '../app.js'
import type { Client } from './client.js'
import type { Timeline } from './timeline.js'

/** What every scene plays with. */
export interface Stage {
  app: App
  /** Where the app listens. */
  url: string
  client: Client
  timeline: Timeline
}
