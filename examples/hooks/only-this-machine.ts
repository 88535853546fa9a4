import type { onRequestHookHandler } from 'fastify'

const LOOPBACK = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1'])

/** Refuses requests from other machines. It stands where an app of your own has its log-in. */
export const onlyThisMachine: onRequestHookHandler = (req, reply, done) => {
  if (LOOPBACK.has(req.ip)) return done()
  reply.code(403).send({ message: 'only from this machine' })
}
