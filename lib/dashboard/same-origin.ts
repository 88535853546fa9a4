import type { FastifyRequest } from 'fastify'

/**
 * Whether a page of this origin has sent the request. Another site may make a browser send its cookies, but not these headers: a
 * browser asks the server first, and says where the request comes from.
 */
export function isFromOwnPage ({ headers, host }: FastifyRequest): boolean {
  const { origin, 'content-type': type = '', 'sec-fetch-site': site, 'x-background-tasks': mark } = headers
  if (mark !== '1' || !/^application\/json\s*(;|$)/i.test(type)) return false
  // Browsers send `sec-fetch-site` over https and to localhost only.
  return site === undefined ? hostOf(origin) === host.toLowerCase() : site === 'same-origin'
}

function hostOf (origin: string | undefined): string | undefined {
  try {
    return new URL(origin ?? '').host
  } catch {
    // No origin, or 'null': a page that keeps its origin to itself.
    return undefined
  }
}
