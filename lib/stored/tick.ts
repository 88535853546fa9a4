import type { FastifyBaseLogger } from 'fastify'
import { MAX_KEY_LENGTH } from '../options/task-options.js'
import { tryTo } from '../run/report.js'
import { RegisteredTask } from './registered-task.js'

/** The key of the tasks of ticks. No caller of `add` can give it, because it is too long. */
export const SCHEDULE_KEY = 'schedule'.padStart(MAX_KEY_LENGTH + 1)

/** The task of a tick. */
export class Tick extends RegisteredTask {
  override goElsewhere (id: string): boolean {
    if (id !== this.stored.id) logOverlap(this.owner.log, this.stored)
    return super.goElsewhere(id)
  }
}

export function logOverlap (log: FastifyBaseLogger, { name: task, id: taskId }: { name: string, id: string }): void {
  tryTo(() => { log.debug({ task, taskId }, 'tick of a background task passed over: the task of an earlier tick is unfinished') })
}
