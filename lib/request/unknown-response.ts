import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'

type OnResponse = (response: ServerResponse) => void

/** Node.js publishes each HTTP/1 response here when it has been handed over. */
const finishChannel = channel('http.server.response.finish')

/** Requests whose response nobody has shown us yet, and who wants it: more than one where apps share a request. */
const wanted = new Map<IncomingMessage, Map<object, OnResponse>>()

function onFinish (message: unknown): void {
  const { request, response } = message as { request: IncomingMessage, response: ServerResponse }
  for (const onResponse of wanted.get(request)?.values() ?? []) onResponse(response)
}

/** Gives the response to an HTTP/1 request once it has been handed over. Listens to the process only meanwhile. */
export function awaitResponse (request: IncomingMessage, watcher: object, onResponse: OnResponse): void {
  if (wanted.size === 0) finishChannel.subscribe(onFinish)
  const watchers = wanted.get(request) ?? new Map<object, OnResponse>()
  wanted.set(request, watchers.set(watcher, onResponse))
}

/** The watcher knows the response, or it is over. */
export function forgetResponse (request: IncomingMessage, watcher: object): void {
  if (wanted.size === 0) return
  const watchers = wanted.get(request)
  if (watchers?.delete(watcher) !== true || watchers.size > 0) return
  wanted.delete(request)
  if (wanted.size === 0) finishChannel.unsubscribe(onFinish)
}
