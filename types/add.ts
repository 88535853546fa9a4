import type { NamedTask, NamedTaskOptions } from './named.js'
import type { TaskOptions } from './options.js'
import type { Task } from './task.js'

// The types of `add`. A signature that does not apply asks for 32 arguments, so the compiler does not report its errors.
// The compiler shows the errors of the last signature. That signature states the arguments for each kind of first argument.

export type AnyFunction = (...args: any[]) => unknown

type Eight = [never, never, never, never, never, never, never, never]
type NoMatch = [...Eight, ...Eight, ...Eight, ...Eight]

/** Up to four signatures of a function, each as its parameters and result. */
type SignaturesOf<F> = F extends {
  (...args: infer A1): infer R1
  (...args: infer A2): infer R2
  (...args: infer A3): infer R3
  (...args: infer A4): infer R4
} ? [A1, R1] | [A2, R2] | [A3, R3] | [A4, R4] : never

type IsUnion<T, All = T> = T extends unknown ? [All] extends [T] ? false : true : never

/** The parameters, with each optional one as a required one that may be undefined. */
type Every<P> = Unboxed<{ [K in keyof P]-?: [P[K]] }>
type Unboxed<B> = { [K in keyof B]: B[K] extends [infer V] ? V : never }

/** The arguments of `add` with options for these parameters: all of them, or all but a Task at the end. */
type BeforeTask<P> =
  P extends unknown[]
    ? number extends P['length'] ? NoMatch
      : Every<P> extends [...infer A, infer Last]
        ? unknown extends Last ? P extends [...A, unknown] ? A | P : Every<P>
          : [Last] extends [Task | undefined] ? A : Every<P>
        : []
    : never

/** The arguments of `add`, if they fit the function. The type of an inline function is not known before its arguments are. */
export type FunctionArguments<F, A> =
  unknown extends F ? A : A extends SignaturesOf<F>[0] ? A : NoMatch
export type OptionsArguments<O, F, A> =
  O extends AnyFunction | NamedTask ? NoMatch : unknown extends F ? A : A extends BeforeTask<SignaturesOf<F>[0]> ? A : NoMatch

/** The result of a call. Of an overloaded function, the result of the signature that takes the arguments. */
export type ResultOf<F, A, R> = IsUnion<SignaturesOf<F>> extends true ? ResultBy<SignaturesOf<F>, A> : Awaited<R>
type ResultBy<Signatures, A> =
  Signatures extends [infer P, infer R] ? A extends P | BeforeTask<P> ? Awaited<R> : never : never

/** The parameters of an inline function. The type is conditional, so that A is inferred from the arguments alone. */
export type AndTask<A> = A extends unknown[] ? [...A, Task] : never

/** The return type of `fn`, from which R is inferred. Any type fits, because an overloaded function has several. */
export type AnyReturn<R> = [R] extends [never] ? R : unknown

/** The first argument of any call: a function, a named task, or else options. */
export type First<F> =
  F extends AnyFunction | NamedTask ? F : F extends PromiseLike<unknown> ? 'the function itself; a promise is for waitUntil' : TaskOptions

/** The other arguments of any call. They depend on the first argument, and after options on the second. */
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
