import { AsyncResource } from 'node:async_hooks'
import { RESOURCE_OPTIONS } from '../task/task-life.js'
import type { StoreEntry } from './view.js'

/** How long until a failed question is asked again: at first, and at most. */
const RETRY_MS = 100
const MAX_RETRY_MS = 2000

/** After an answer that took a millisecond, the next question waits for ten. Questions thus take a tenth of the store's time at most. */
const REST = 10

/** A question to the engine. Viewers who ask the same share its answer. */
export class Question<Answer = unknown> {
  /** Undefined before the first answer. */
  answer: Answer | undefined = undefined
  readers = 0
  isAnswered = false
  /** When the answer may be asked for again, on the monotonic clock. */
  dueAt = 0
  isStale = true

  /** `serves`: how many milliseconds an answer serves at least, whatever changes. */
  constructor (readonly key: string, readonly ask: () => Promise<Answer>, readonly serves: (answer: Answer) => number) {}
}

/** Asks an engine, one question at a time. */
export class Store {
  /** Set while the engine does not answer. */
  failure: StoreEntry | undefined = undefined
  readonly #onNews: () => void
  readonly #questions = new Map<string, Question<any>>()
  /** The async context of no request. */
  readonly #scope = new AsyncResource('BackgroundTasksStore', RESOURCE_OPTIONS)
  #isAsking = false
  #timer: NodeJS.Timeout | undefined
  #nextAt = 0
  #retryMs = RETRY_MS

  /** `onNews`: called after each answer, and when the engine does not answer. */
  constructor (onNews: () => void) {
    this.#onNews = onNews
  }

  /** Has a question asked as long as somebody reads its answer. */
  read<Answer> (key: string, ask: () => Promise<Answer>, serves: (answer: Answer) => number = () => 0): Question<Answer> {
    const question: Question<Answer> = this.#questions.get(key) ?? new Question(key, ask, serves)
    this.#questions.set(key, question)
    question.readers++
    this.#go()
    return question
  }

  leave (question: Question<any>): void {
    if (--question.readers === 0) this.#questions.delete(question.key)
    if (this.#questions.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = this.failure = undefined
    this.#retryMs = RETRY_MS
  }

  /** Notes that the answers may be others now. */
  change (): void {
    if (this.#questions.size === 0) return
    for (const question of this.#questions.values()) question.isStale ||= question.dueAt < Infinity
    this.#go()
  }

  #go (): void {
    if (!this.#isAsking && this.#timer === undefined) this.#scope.runInAsyncScope(this.#goOn)
  }

  readonly #goOn = (): void => {
    const next = this.#next()
    if (next === undefined) return
    const waitMs = Math.max(this.#nextAt, next.dueAt) - performance.now()
    if (waitMs > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#go()
      }, waitMs).unref()
    } else this.#ask(next).finally(() => { this.#go() })
  }

  /** The stale question that is due first. */
  #next (): Question | undefined {
    let first: Question | undefined
    for (const question of this.#questions.values()) {
      if (question.isStale && (first === undefined || question.dueAt < first.dueAt)) first = question
    }
    return first
  }

  async #ask (question: Question): Promise<void> {
    this.#isAsking = true
    question.isStale = false
    const askedAt = performance.now()
    try {
      question.answer = await question.ask()
      question.isAnswered = true
      this.failure = undefined
      this.#retryMs = RETRY_MS
      const now = performance.now()
      this.#nextAt = now + REST * (now - askedAt)
      question.dueAt = now + question.serves(question.answer)
    } catch (error) {
      question.isStale = true
      this.failure ??= { error: (error as Error).message, since: Date.now() }
      this.#nextAt = performance.now() + this.#retryMs
      this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS)
    } finally {
      this.#isAsking = false
    }
    this.#onNews()
  }
}
