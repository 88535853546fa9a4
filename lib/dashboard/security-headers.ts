import type { FastifyInstance } from 'fastify'

const POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"
].join('; ')

/** The `cache-control` of files with a hash in their names. */
export const IMMUTABLE = 'public, max-age=31536000, immutable'

const HEADERS = { 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' }

/** Sets headers on each reply of the instance, also on errors. What other plugins have set before is replaced. */
export function secureReplies (app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply) => {
    reply.headers(HEADERS)
    if (reply.getHeader('cache-control') !== IMMUTABLE) reply.header('cache-control', 'no-store')
  })
}
