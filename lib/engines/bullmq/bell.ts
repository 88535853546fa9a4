import type * as Bullmq from 'bullmq'
import type { Clients } from './clients.js'
import { hearNotifications } from './postgres-bell.js'
import { BELL } from './records.js'

/**
 * Calls `ring` whenever a task that a worker has is cancelled. In Redis, the bell is a stream of its own. The stream of the queue has
 * several events of each task, and reading them costs a worker as much as running the tasks.
 */
export function hearBell (clients: Clients, worker: Bullmq.Worker, ring: () => void): void {
  if (clients.isRedis) clients.events(BELL).on('cancel' as 'removed', ring)
  else hearNotifications(worker.getBackend(), ring)
}
