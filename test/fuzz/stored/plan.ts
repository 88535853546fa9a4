import fc, { type Arbitrary } from 'fast-check'
import { between, numbered, once, oneOf, record, upTo } from '../arbitraries.js'

/** A registered task. What is absent is the simplest: it completes at once. */
export interface StoredPlan {
  /** One of few, so that tasks share them. */
  key?: 'a' | 'b'
  priority?: number
  /** Milliseconds. `LATER` is not over before the plan is. */
  delay?: number
  retries?: number
  /** How many attempts fail. */
  fails?: number
  /** An attempt waits to be released. */
  held?: boolean
}

export const LATER = 3_600_000

export type StoredStep =
  /** Adds tasks in a request; with `clear` it drops them before they are stored. */
  | { do: 'add', tasks: StoredPlan[], clear?: boolean }
  | { do: 'get' | 'cancel', n: number }
  | { do: 'release' | 'settle' | 'reopen' }

export interface StoredSteps {
  concurrency?: number
  steps: StoredStep[]
}

const task = record<StoredPlan>({
  key: once(3, fc.constantFrom('a', 'b')),
  priority: once(2, upTo(2)),
  delay: once(5, fc.constantFrom(1, 5, LATER)),
  retries: once(2, upTo(2)),
  fails: once(2, upTo(3)),
  held: once(2, fc.constant(true))
})

const add = record<{ do: 'add', tasks: StoredPlan[], clear?: boolean }>({
  do: fc.constant('add' as const), tasks: fc.array(task, { minLength: 1, maxLength: 3 }), clear: once(12, fc.constant(true))
})

const step = fc.oneof(
  { weight: 6, arbitrary: add },
  { weight: 5, arbitrary: numbered('get', 'cancel') },
  { weight: 4, arbitrary: oneOf('release', 'settle') },
  { weight: 2, arbitrary: oneOf('reopen') }
) as Arbitrary<StoredStep>

export const storedSteps: Arbitrary<StoredSteps> = record<StoredSteps>({
  concurrency: once(2, between(1, 2)),
  steps: fc.array(step, { minLength: 1, maxLength: 12 })
})
