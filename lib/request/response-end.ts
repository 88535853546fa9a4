import type { IncomingMessage } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest, RawReplyDefaultExpression } from 'fastify'
import type { ResponseEnd } from '../../types/index.js'
import { isStreamSent, streamStatus } from './http2-stream.js'
import { awaitResponse, forgetResponse } from './unknown-response.js'

/** Receives how a response ended. `end` may be called more than once: only the first call counts. */
interface ResponseWatcher {
  end (outcome: ResponseEnd['outcome'], statusCode: number): void
}

/** A response of HTTP/1, of `inject`, or of HTTP/2. The response of HTTP/2 has a stream in place of `destroyed`. */
type Response = RawReplyDefaultExpression & { stream?: ServerHttp2Stream }

/** The status code that Node.js sends when none was set. */
export const UNSET_STATUS = 200

const kWatcher = Symbol('fastify-background-tasks.watcher')
const kWaiting = Symbol('fastify-background-tasks.waiting')
const kServed = Symbol('fastify-background-tasks.served')

type WatchedResponse = Response & { [kWatcher]?: ResponseWatcher | undefined }

/**
 * `kWaiting`: a function for each request whose response gets no `close` event of its own.
 * `kServed`: the watched response that the socket belongs to. If code detaches the socket, the response no longer gets the
 * `close` of the socket.
 */
type WatchedSocket = Socket & { [kWaiting]?: Map<ResponseWatcher, () => void> | undefined, [kServed]?: WatchedResponse | undefined }

/**
 * Calls the watcher when the response to a request is over, whatever ends it. The onResponse hook does not always tell.
 * Fastify does not call this hook after a hook that throws or hangs, or when the connection is lost first.
 * The `close` event of the response always comes, except for pipelined requests on Node.js 20 and 22. For these, only the
 * `close` of the socket comes.
 * An earlier plugin's onRequest hook may add a task before our own hook has the reply. Call again with the reply then.
 */
export function watchResponse (watcher: ResponseWatcher, request: FastifyRequest, reply: FastifyReply | undefined): void {
  if (concludeIfOver(watcher, request, reply)) return
  const { raw } = request
  const socket = plainSocket(raw)
  const response: WatchedResponse | undefined = reply?.raw
  if (response === undefined) {
    watchUnknown(watcher, raw)
  } else {
    forgetResponse(raw, watcher)
    if (response[kWatcher] !== undefined) {
      watchShared(watcher, raw, response, socket)
      return
    }
    // All responses share one listener: a closure would be a cost of each request.
    response[kWatcher] = watcher
    response.on('close', onResponseClose)
  }
  if (socket === undefined) return
  if (response !== undefined && response.socket === socket) {
    watchSocket(socket)
    socket[kServed] = response
  } else {
    // A pipelined response gets its socket only when the responses before it are over.
    waitingOn(socket).set(watcher, () => { conclude(watcher, raw, response, socket) })
  }
}

/** Watches a response for a second app. The first app has handed its request over, and each app has a list of its own. */
function watchShared (
  watcher: ResponseWatcher, raw: IncomingMessage, response: WatchedResponse, socket: WatchedSocket | undefined
): void {
  const onClose = (): void => { conclude(watcher, raw, response, socket) }
  response.on('close', onClose)
  if (socket !== undefined) waitingOn(socket).set(watcher, onClose)
}

function onResponseClose (this: WatchedResponse): void {
  const watcher = this[kWatcher]
  if (watcher !== undefined) conclude(watcher, this.req, this, plainSocket(this.req))
}

/** Watches a response that no hook has shown us, by other events of Node.js. Under `inject` only onResponse tells. */
function watchUnknown (watcher: ResponseWatcher, raw: IncomingMessage & { stream?: ServerHttp2Stream }): void {
  const { stream } = raw
  awaitResponse(raw, watcher, (response) => { conclude(watcher, raw, response, plainSocket(raw)) })
  stream?.once('close', () => {
    watcher.end(isStreamSent(stream) ? 'sent' : 'aborted', streamStatus(stream) ?? UNSET_STATUS)
    forgetResponse(raw, watcher)
  })
}

/** Calls the watcher if the response is over. Fastify calls onResponse also after an error in the middle of a response. */
export function concludeIfOver (watcher: ResponseWatcher, { raw }: FastifyRequest, reply: FastifyReply | undefined): boolean {
  const response: Response | undefined = reply?.raw
  const socket = plainSocket(raw)
  const isEnded = isOver(response, socket)
  if (isEnded) conclude(watcher, raw, response, socket)
  return isEnded
}

function conclude (
  watcher: ResponseWatcher, raw: IncomingMessage, response: WatchedResponse | undefined, socket: WatchedSocket | undefined
): void {
  if (socket !== undefined) {
    socket[kWaiting]?.delete(watcher)
    // An idle connection must not keep its last response in memory.
    if (socket[kServed] === response) socket[kServed] = undefined
  }
  forgetResponse(raw, watcher)
  if (response?.[kWatcher] === watcher) response[kWatcher] = undefined
  watcher.end(isSent(response, socket) ? 'sent' : 'aborted', statusOf(response))
}

function waitingOn (socket: WatchedSocket): Map<ResponseWatcher, () => void> {
  watchSocket(socket)
  return (socket[kWaiting] ??= new Map())
}

/** Adds one listener to a keep-alive socket. A listener for each request would cause a MaxListenersExceededWarning. */
function watchSocket (socket: WatchedSocket): void {
  if (kServed in socket) return
  socket[kServed] = undefined
  socket.on('close', onSocketClose)
}

function onSocketClose (this: WatchedSocket): void {
  const response = this[kServed]
  if (response !== undefined) onResponseClose.call(response)
  for (const onClose of this[kWaiting]?.values() ?? []) onClose()
}

/** The HTTP/1 connection of a request. HTTP/2 streams share a connection, and `inject` has none: the result is undefined. */
function plainSocket (raw: IncomingMessage): WatchedSocket | undefined {
  return raw.httpVersionMajor === 1 && raw.socket instanceof Socket ? raw.socket : undefined
}

function isOver (response: Response | undefined, socket: Socket | undefined): boolean {
  if (socket?.destroyed === true) return true
  if (response === undefined) return false
  // An HTTP/2 response is `writableFinished` before it is sent, and an injected response never is.
  if (response.stream !== undefined) return response.stream.destroyed
  return response.destroyed || (socket === undefined ? response.writableEnded : response.writableFinished)
}

function isSent (response: Response | undefined, socket: Socket | undefined): boolean {
  if (response === undefined) return false
  if (response.stream !== undefined) return isStreamSent(response.stream)
  if (!response.writableEnded) return false
  // A response is `writableFinished` once the socket has taken it. The error of the socket tells that it was not delivered.
  // An injected response is never `writableFinished`.
  return socket === undefined || (response.writableFinished && !socket.errored)
}

function statusOf (response: Response | undefined): number {
  return streamStatus(response?.stream) ?? response?.statusCode ?? UNSET_STATUS
}
