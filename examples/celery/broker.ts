import type { CeleryMessage } from './messages.js'

/** What takes messages to the workers. */
export interface Broker {
  /** Resolves when the broker has all messages. */
  send (messages: CeleryMessage[]): Promise<void>
  /** Sends a message to all workers. Resolves to whether there was one. */
  broadcast (message: CeleryMessage): Promise<boolean>
  close (): Promise<void>
}
