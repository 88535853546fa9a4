import type { FastifyBaseLogger } from 'fastify'
import type { ScheduleSnapshot } from '../../types/index.js'
import { Latest } from '../base/latest.js'
import { clearInterval, setInterval } from '../base/real-timers.js'
import type { Definition } from '../named/definition.js'
import type { Registry, ScheduledTask } from '../named/registry.js'
import { MAX_DELAY_MS } from '../options/rules.js'
import { tryTo } from '../run/report.js'
import type { History } from '../task/history.js'
import { type NextTick, readSchedules } from './cron.js'
import { logOverlap } from './tick.js'
import { tickId } from './tick-id.js'
import { Ticks } from './ticks.js'

/** How often the clock is looked at between ticks: it may be set. A test may also throw a fake timer away. */
const LOOK_MS = 30_000

/** The list of the app. */
export interface TickList {
  readonly log: FastifyBaseLogger
  /** Returns false when the task of an earlier tick is unfinished in this process. */
  addTick (definition: Definition, payload: unknown, id: string): boolean
}

/** Adds the tasks of schedules at their ticks. */
export class Schedules {
  readonly #registry: Registry
  readonly #history: History
  readonly #lookMs: number
  /** The ids of added ticks. An engine in memory knows no id longer than this: functions do not take the place of ticks. */
  readonly #added = new Latest<true>()
  #nextTicks: NextTick[] = []
  #isStopped = false
  #looks: NodeJS.Timeout | undefined
  #timer: NodeJS.Timeout | undefined

  constructor (registry: Registry, history: History, lookMs = LOOK_MS) {
    this.#registry = registry
    this.#history = history
    this.#lookMs = lookMs
  }

  /**
   * Reads the schedules of the registered tasks.
   * @throws FST_BGT_INVALID_OPTIONS when one is wrong, or croner is not installed
   */
  async load (): Promise<void> {
    this.#nextTicks = await readSchedules(this.#registry.scheduled)
  }

  /** Adds a task to the list at each tick from now on. */
  start (list: TickList): void {
    // The app may close before it is ready.
    if (this.#isStopped || this.#nextTicks.length === 0) return
    const now = Date.now()
    const ticks = this.#nextTicks.map((next) => new Ticks(next, now))
    const look = (): void => {
      const now = Date.now()
      ticks.forEach((of, index) => {
        for (const at of of.look(now)) this.#add(list, this.#registry.scheduled[index]!, at)
      })
      clearTimeout(this.#timer)
      const delayMs = Math.min(...ticks.map(({ next }) => next)) - now
      this.#timer = setTimeout(look, Math.min(delayMs, MAX_DELAY_MS)).unref()
    }
    // No timer of a schedule keeps the process alive.
    this.#looks = setInterval(look, this.#lookMs).unref()
    look()
  }

  stop (): void {
    this.#isStopped = true
    clearInterval(this.#looks)
    clearTimeout(this.#timer)
  }

  snapshots (): ScheduleSnapshot[] {
    const now = Date.now()
    const { scheduled } = this.#registry
    return scheduled.map(({ definition, schedule }, index) => {
      const { name } = definition
      const { cron, timezone } = schedule
      const next = this.#nextTicks[index]
      return { name, cron, timezone, ...(next !== undefined && { nextRunAt: new Date(next(now)).toISOString() }) }
    })
  }

  #add (list: TickList, { definition, schedule: { payload } }: ScheduledTask, atMs: number): void {
    const { name } = definition
    const id = tickId(name, atMs)
    // The clock was set back, and the tick comes again. For a task whose id it knows, an engine does nothing.
    if (this.#history.has(id) || this.#added.get(id) === true) return
    try {
      if (list.addTick(definition, payload, id)) this.#added.set(id, true, this.#history.limit)
      else logOverlap(list.log, { name, id })
    } catch (err) {
      tryTo(() => { list.log.warn({ err, task: name, taskId: id }, 'tick of a background task passed over: no task can be added') })
    }
  }
}
