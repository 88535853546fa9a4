import type { NamedTask, NamedTaskOptions } from './named.js'
import type { TaskOptions } from './options.js'
import type { Task } from './task.js'

// The types of `add`. A signature that is not meant asks for 32 arguments: the compiler then reports only what is wrong with
// the one that is. The last signature states what each kind of first argument wants, so that its errors are the ones shown.

export type AnyFunction = (...args: any[]) => unknown

type Eight = [never, never, never, never, never, never, never, never]
type NoMatch = [...Eight, ...Eight, ...Eight, ...Eight]

/** The signatures of a function, up to four of them, each as parameters and result. */
type SignaturesOf<F> = F extends {
  (...args: infer A1): infer R1
  (...args: infer A2): infer R2
  (...args: infer A3): infer R3
  (...args: infer A4): infer R4
} ? [A1, R1] | [A2, R2] | [A3, R3] | [A4, R4] : never

type IsUnion<T, All = T> = T extends unknown ? [All] extends [T] ? false : true : never

/** Optional parameters become required ones, which may be undefined. */
type Every<P> = Unboxed<{ [K in keyof P]-?: [P[K]] }>
type Unboxed<B> = { [K in keyof B]: B[K] extends [infer V] ? V : never }

/** The arguments that the options form takes for these parameters: all of them, or all but a Task at the end. */
type BeforeTask<P> =
  P extends unknown[]
    ? number extends P['length'] ? NoMatch
      : Every<P> extends [...infer A, infer Last]
        ? unknown extends Last ? P extends [...A, unknown] ? A | P : Every<P>
          : [Last] extends [Task | undefined] ? A : Every<P>
        : []
    : never

/** The arguments, where they are known to fit. Of a function written in place nothing is known before its arguments are. */
export type FunctionArguments<F, A> =
  unknown extends F ? A : A extends SignaturesOf<F>[0] ? A : NoMatch
export type OptionsArguments<O, F, A> =
  O extends AnyFunction | NamedTask ? NoMatch : unknown extends F ? A : A extends BeforeTask<SignaturesOf<F>[0]> ? A : NoMatch

/** What a call gives: of an overloaded function, by the signature that takes the arguments. */
export type ResultOf<F, A, R> = IsUnion<SignaturesOf<F>> extends true ? ResultBy<SignaturesOf<F>, A> : Awaited<R>
type ResultBy<Signatures, A> =
  Signatures extends [infer P, infer R] ? A extends P | BeforeTask<P> ? Awaited<R> : never : never

/** What a function written in place may take: by a conditional type, through which the arguments alone decide on A. */
export type AndTask<A> = A extends unknown[] ? [...A, Task] : never

/** Whatever fn returns, of which R is inferred: an overloaded function is more than its last signature. */
export type AnyReturn<R> = [R] extends [never] ? R : unknown

/** The first argument of any call. What is no function and no named task can only be options. */
export type First<F> =
  F extends AnyFunction | NamedTask ? F : F extends PromiseLike<unknown> ? 'the function itself; a promise is for waitUntil' : TaskOptions

/** The other arguments of any call, by the first and, behind options, the second one. */
export type Rest<F, G> = [F] extends [never] ? any[]
  : F extends AnyFunction ? SignaturesOf<F>[0]
    : F extends NamedTask<infer P> ? [payload: P, options?: NamedTaskOptions]
      : G extends AnyFunction ? BehindOptions<G, SignaturesOf<G>[0]>
        : F extends TaskOptions ? [fn: AnyFunction, ...args: any[]] : any[]

type BehindOptions<G, P> =
  P extends unknown[]
    ? number extends P['length'] ? [fn: 'a function whose parameters end, as the task follows the arguments', ...args: any[]]
      : [fn: G, ...args: BeforeTask<P>]
    : never

export type AnyResult<F, G> =
  F extends NamedTask<any, infer R> ? R
    : F extends (...args: any[]) => infer R ? Awaited<R>
      : G extends (...args: any[]) => infer R ? Awaited<R> : unknown
