import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Assets } from './assets.js'
import { IMMUTABLE } from './security-headers.js'

interface PageQuery {
  asset?: unknown
}

/** Makes the handler of the page and its files. A query alone keeps the path, so a file is found behind any prefix. */
export function createPageHandler ({ html, byName }: Assets): (request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  return (request, reply) => {
    const { asset: name } = request.query as PageQuery
    if (name === undefined) return reply.type('text/html; charset=utf-8').send(html)
    const asset = typeof name === 'string' ? byName.get(name) : undefined
    if (asset === undefined) return reply.code(404).send({ statusCode: 404, error: 'Not Found', message: 'there is no such file' })
    reply.headers({ 'content-type': asset.type, 'cache-control': IMMUTABLE, vary: 'accept-encoding' })
    if (!acceptsGzip(request.headers['accept-encoding'])) return reply.send(asset.body)
    return reply.header('content-encoding', 'gzip').send(asset.gzip)
  }
}

/** Whether the header names gzip, other than to refuse it. */
export function acceptsGzip (header: string | string[] | undefined): boolean {
  return String(header).split(',').some((coding) => /^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(coding))
}
