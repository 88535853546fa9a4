import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Node.js publishes each HTTP/1 response here when it has been handed over. */
const finishChannel = channel('http.server.response.finish')

/** Requests whose response nobody has shown us yet, and who wants it. */
const wanted = new Map<IncomingMessage, (response: ServerResponse) => void>()

function onFinish (message: unknown): void {
  const { request, response } = message as { request: IncomingMessage, response: ServerResponse }
  wanted.get(request)?.(response)
}

/** Gives the response to an HTTP/1 request once it has been handed over. Listens to the process only meanwhile. */
export function awaitResponse (request: IncomingMessage, onResponse: (response: ServerResponse) => void): void {
  if (wanted.size === 0) finishChannel.subscribe(onFinish)
  wanted.set(request, onResponse)
}

/** The response is known, or over. */
export function forgetResponse (request: IncomingMessage): void {
  if (wanted.size > 0 && wanted.delete(request) && wanted.size === 0) finishChannel.unsubscribe(onFinish)
}
