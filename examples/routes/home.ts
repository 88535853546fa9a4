import { readFile } from 'node:fs/promises'
import type { FastifyPluginAsync } from 'fastify'

const files = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/home.css', 'home.css', 'text/css; charset=utf-8'],
  ['/home.js', 'home.js', 'text/javascript; charset=utf-8']
] as const

/** GET / is a page with a button for each kind of request, beside a link to the dashboard. */
export const home: FastifyPluginAsync = async (app) => {
  for (const [url, file, type] of files) {
    const content = await readFile(new URL(`../home/${file}`, import.meta.url))
    app.get(url, async (req, reply) => reply.type(type).send(content))
  }
}
