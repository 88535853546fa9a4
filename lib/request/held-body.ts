const noop = (): void => {}

/** The methods that end the kinds of streams that Fastify takes as a reply, in order of preference. */
const ENDS = ['destroy', 'close', 'abort', 'cancel'] as const

type Body = { readonly [End in typeof ENDS[number]]?: () => unknown }

/**
 * Listens to the errors of a reply's body while the reply waits. Fastify does not listen yet, and an `error` event without a
 * listener ends the process. Returns a function that gives the first error so far.
 */
export function holdBody (payload: unknown): () => Error | null {
  let error: Error | null = null
  const { pipe, on } = (payload ?? {}) as NodeJS.ReadableStream
  // A web stream keeps its error until it is read.
  if (typeof pipe === 'function' && typeof on === 'function') {
    (payload as NodeJS.ReadableStream).on('error', (cause) => { error ??= cause })
  }
  return () => error
}

/** Ends the body of a reply that is replaced by an error reply, so that the body holds nothing open. */
export function discardBody (payload: unknown): void {
  const isResponse = Object.prototype.toString.call(payload) === '[object Response]'
  const body = (isResponse ? (payload as Response).body : payload) as Body | null | undefined
  const end = ENDS.find((name) => typeof body?.[name] === 'function')
  // A web stream that is being read rejects its `cancel`. The rejection is ignored.
  if (end !== undefined) Promise.resolve(body![end]!()).catch(noop)
}
