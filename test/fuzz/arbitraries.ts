import fc, { type Arbitrary } from 'fast-check'

const noNull = { noNullPrototype: true }

export const upTo = (max: number): Arbitrary<number> => fc.integer({ min: 0, max })
export const between = (min: number, max: number): Arbitrary<number> => fc.integer({ min, max })

/** Absent, or once in so many times given. A shrunk plan shows only what matters. */
export function once<T> (times: number, arbitrary: Arbitrary<T>): Arbitrary<T | undefined> {
  return fc.oneof({ withCrossShrink: true }, { weight: times - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
}

/** A plain object, each key of which is absent where it may be. */
export function record<T> (keys: { [K in keyof T]-?: Arbitrary<T[K] | undefined> }): Arbitrary<T> {
  return fc.record(keys as unknown as { [K in keyof T]: Arbitrary<T[K]> }, noNull) as unknown as Arbitrary<T>
}

/** A step that is only one of these words. */
export function oneOf<What extends string> (...what: What[]): Arbitrary<{ do: What }> {
  return fc.record({ do: fc.constantFrom(...what) }, noNull) as Arbitrary<{ do: What }>
}

/** A step of one of these words, with a number. */
export function numbered<What extends string> (...what: What[]): Arbitrary<{ do: What, n: number }> {
  return fc.record({ do: fc.constantFrom(...what), n: upTo(12) }, noNull) as Arbitrary<{ do: What, n: number }>
}
