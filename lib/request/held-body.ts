const noop = (): void => {}

/** What ends the different kinds of streams that Fastify takes as a reply. */
const ENDS = ['destroy', 'close', 'abort', 'cancel'] as const

type Body = { readonly [End in typeof ENDS[number]]?: () => unknown }

/**
 * Listens to the body of a reply that waits, for nobody else does yet: an error that nobody listens to ends the process.
 * Gives a function that says what has gone wrong so far.
 */
export function holdBody (payload: unknown): () => Error | null {
  let error: Error | null = null
  const { pipe, on } = (payload ?? {}) as NodeJS.ReadableStream
  // A web stream keeps its error for whoever reads it.
  if (typeof pipe === 'function' && typeof on === 'function') {
    (payload as NodeJS.ReadableStream).on('error', (cause) => { error ??= cause })
  }
  return () => error
}

/** Another reply takes the place of this body: lets go of what it holds open. */
export function discardBody (payload: unknown): void {
  const isResponse = Object.prototype.toString.call(payload) === '[object Response]'
  const body = (isResponse ? (payload as Response).body : payload) as Body | null | undefined
  const end = ENDS.find((name) => typeof body?.[name] === 'function')
  // Nobody is to hear of a web stream that somebody reads, which cannot be cancelled.
  if (end !== undefined) Promise.resolve(body![end]!()).catch(noop)
}
