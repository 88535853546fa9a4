import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'

type OnResponse = (response: ServerResponse) => void

/** Node.js publishes each HTTP/1 response on this channel when it has been handed to the operating system. */
const finishChannel = channel('http.server.response.finish')

/** The callbacks of each request whose response no hook has shown us. Apps that share a request have one each. */
const wanted = new Map<IncomingMessage, Map<object, OnResponse>>()

function onFinish (message: unknown): void {
  const { request, response } = message as { request: IncomingMessage, response: ServerResponse }
  for (const onResponse of wanted.get(request)?.values() ?? []) onResponse(response)
}

/** Calls `onResponse` with the response to an HTTP/1 request. The channel has a listener only while a request is wanted. */
export function awaitResponse (request: IncomingMessage, watcher: object, onResponse: OnResponse): void {
  if (wanted.size === 0) finishChannel.subscribe(onFinish)
  const watchers = wanted.get(request) ?? new Map<object, OnResponse>()
  wanted.set(request, watchers.set(watcher, onResponse))
}

/** Drops the callback of a watcher that has its response. */
export function forgetResponse (request: IncomingMessage, watcher: object): void {
  if (wanted.size === 0) return
  const watchers = wanted.get(request)
  if (watchers?.delete(watcher) !== true || watchers.size > 0) return
  wanted.delete(request)
  if (wanted.size === 0) finishChannel.unsubscribe(onFinish)
}
