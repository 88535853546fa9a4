import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance } from 'fastify'
import { type NamedTask, type Task, defineTask } from '../../../index.js'
import type { TaskCapture } from '../../../lib/testing.js'
import { type Latch, createLatch } from '../../support/latch.js'
import { Added } from './added.js'
import type { Clock } from './clock.js'
import type { Plan, Place, TaskPlan } from './plan.js'
import { checkStart } from './start-checks.js'
import type { Visit } from './visit.js'
import { work } from './work.js'

const context = new AsyncLocalStorage<Added>()

/** An app under test: what was added to it, and each rule that was broken. */
export class World {
  app!: FastifyInstance
  readonly plan: Plan
  readonly clock: Clock
  readonly added: Added[] = []
  readonly visits: Visit[] = []
  readonly broken: string[] = []
  readonly named: NamedTask
  readonly registered: NamedTask
  capture: TaskCapture | undefined = undefined
  /** `TaskCapture.run`, while it is under way. */
  captured: Promise<void> | undefined = undefined
  isClosing = false
  /** Tasks that were added before close was called. */
  addedBeforeClose = 0
  isClosed = false
  #released: Latch = createLatch()

  constructor (plan: Plan, clock: Clock) {
    this.plan = plan
    this.clock = clock
    const payload = { type: 'object', properties: { at: { type: 'integer' } }, required: ['at'] }
    const handler = (payload: unknown): unknown => this.#attempt(this.added[(payload as { at: number }).at]!)
    this.named = defineTask({ name: 'named', payload, handler })
    this.registered = defineTask({ name: 'registered', payload, handler })
  }

  report (problem: string, added?: Added): void {
    this.broken.push(added === undefined ? problem : `task ${this.added.indexOf(added)} (${added.via}): ${problem}`)
  }

  /** Lets what is held go on. */
  release (): void {
    this.#released.resolve()
    this.#released = createLatch()
  }

  addAll (visit: Visit, place: Place): void {
    for (const task of visit.plan.tasks) if ((task.place ?? 'handler') === place) this.add(task, visit)
    if (visit.plan.clear === place) this.clear(visit)
  }

  add (plan: TaskPlan, visit?: Visit): void {
    const added = new Added(plan, visit)
    this.added.push(added)
    const mayThrow = this.#refusals(added)
    added.isCaptured = this.capture !== undefined && added.via !== 'waitUntil'
    try {
      added.task = context.run(added, () => this.#addTo(added))
    } catch (error) {
      added.refusal = (error as { code?: unknown }).code
    }
    if (!mayThrow.includes(added.refusal)) this.report(`add gave ${String(added.refusal ?? 'a task')} where it is to give ${mayThrow.join(' or ')}`, added)
    if (added.starts > 0 && added.via !== 'waitUntil') this.report('started while it was added', added)
    if (added.task === undefined) return
    if (plan.readsId === true) added.task.id.at(0)
    if (plan.cancel === 'added') this.cancel(added)
  }

  cancel (added: Added): void {
    if (added.task === undefined) return
    const { isFinal } = added
    this.#noteCancel(added, isFinal, added.task.cancel('fuzz'))
  }

  async cancelById (added: Added): Promise<void> {
    if (added.task === undefined) return
    const { isFinal, task: { id } } = added
    this.#noteCancel(added, isFinal, await this.app.backgroundTasks.cancel(id, 'fuzz'))
  }

  clear (visit: Visit): void {
    if (visit.request === undefined) return
    const waiting = this.listOf(visit).filter((added) =>
      added.task !== undefined && !added.isFinal && added.starts === 0 && added.via !== 'waitUntil' && !added.isForgotten)
    const dropped = visit.request.backgroundTasks.clear()
    if (dropped !== waiting.length) this.report(`clear dropped ${dropped} tasks of ${waiting.length}`)
    for (const added of waiting) this.#noteCancel(added, false, true)
  }

  /** The tasks of a request, or with undefined those of the app. */
  listOf (visit: Visit | undefined): Added[] {
    return this.added.filter((added) => added.visit === visit)
  }

  find (task: Task): Added | undefined {
    return this.added.find((added) => added.task === task)
  }

  /** Tasks that the app takes for unfinished. */
  get unfinished (): number {
    const { waiting, active, delayed } = this.app.backgroundTasks.stats()
    return waiting + active + delayed
  }

  #refusals ({ via }: Added): unknown[] {
    // A test that captures tasks takes them all.
    if (via !== 'waitUntil' && this.capture !== undefined) return [undefined]
    if (this.isClosed) return ['FST_BGT_CLOSED']
    const { maxPending = Infinity } = this.plan.options
    if (via !== 'waitUntil' && this.unfinished >= maxPending) return ['FST_BGT_FULL']
    // The last task is let in before close has resolved.
    return this.isClosing ? [undefined, 'FST_BGT_CLOSED'] : [undefined]
  }

  #noteCancel (added: Added, wasFinal: boolean, effect: boolean): void {
    if (effect === wasFinal) this.report(`cancel said ${effect} of a task that had ${wasFinal ? '' : 'not '}ended`, added)
    if (effect) added.isCancelled = true
    if (effect && added.task!.state !== 'cancelled') this.report(`is ${added.task!.state} after a cancel that had an effect`, added)
  }

  #addTo (added: Added): Task {
    const adder = added.visit === undefined ? this.app.backgroundTasks : added.visit.request!.backgroundTasks
    const at = this.added.indexOf(added)
    const { delay } = added.plan
    const run = (number: number): unknown => this.#attempt(this.added[number]!)
    switch (added.via) {
      case 'function': return adder.add(run, at)
      case 'options': return adder.add(added.options, (number: number, task: Task) => {
        if (task !== added.task) this.report('was given another task', added)
        return run(number)
      }, at)
      case 'named': return adder.add(this.named, { at }, added.options)
      case 'registered': return adder.add(this.registered, { at }, { ...added.options, ...(delay !== undefined && { delay }) })
      case 'waitUntil': return adder.waitUntil(Promise.resolve(this.#attempt(added, true)), {})
    }
  }

  #attempt (added: Added, isAdding = false): unknown {
    const attempt = ++added.starts
    added.startedAt = this.clock.now
    if (context.getStore() !== added) this.report('runs in the context of other code', added)
    if (!isAdding) checkStart(this, added)
    if (attempt === 1) for (const plan of added.plan.adds ?? []) this.add(plan, added.visit)
    if (added.plan.cancel === 'inside') this.cancel(added)
    try {
      return work(added, attempt, this.#released.promise)
    } catch (error) {
      // What is waited for is a promise.
      if (isAdding) return Promise.reject(error)
      throw error
    }
  }
}
