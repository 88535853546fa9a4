/** A promise with its resolve function. */
export interface Latch<T = void> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}

export function createLatch<T = void> (): Latch<T> {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((_resolve) => { resolve = _resolve })
  return { promise, resolve }
}
