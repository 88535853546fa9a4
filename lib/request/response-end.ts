import type { IncomingMessage } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest, RawReplyDefaultExpression } from 'fastify'
import type { ResponseEnd } from '../../types/index.js'
import { isStreamSent, streamStatus } from './http2-stream.js'
import { awaitResponse, forgetResponse } from './unknown-response.js'

/** Wants to know how a response ended. May be told more than once; the first time counts. */
interface ResponseWatcher {
  end (outcome: ResponseEnd['outcome'], statusCode: number): void
}

/** Of HTTP/1, of `inject`, or the compatible one of HTTP/2, which has a stream instead of `destroyed`. */
type Response = RawReplyDefaultExpression & { stream?: ServerHttp2Stream }

/** What Node.js would send of a response whose status nobody has set. */
export const UNSET_STATUS = 200

const kWatcher = Symbol('fastify-background-tasks.watcher')
const kWaiting = Symbol('fastify-background-tasks.waiting')
const kServed = Symbol('fastify-background-tasks.served')

type WatchedResponse = Response & { [kWatcher]?: ResponseWatcher | undefined }

/**
 * `kWaiting`: what to do for each request whose response has no event of its own.
 * `kServed`: the watched response that the socket has. Code that detaches the socket takes its `close` from the response.
 */
type WatchedSocket = Socket & { [kWaiting]?: Map<ResponseWatcher, () => void> | undefined, [kServed]?: WatchedResponse | undefined }

/**
 * Learns that the response to a request is over, whatever ends it. onResponse alone does not tell: Fastify calls it
 * neither when the connection dies first nor behind another plugin's hook that throws or hangs. What always comes is
 * the response's `close`; but Node.js 20 and 22 tell pipelined requests only by the `close` of their socket.
 * The reply is not known yet where an onRequest hook in front of ours adds a task: call again when it is.
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
    // One function for all: each request pays for what is made here.
    response[kWatcher] = watcher
    response.on('close', onResponseClose)
  }
  if (socket === undefined) return
  if (response !== undefined && response.socket === socket) {
    watchSocket(socket)
    socket[kServed] = response
  } else {
    // A response gets its socket when its turn comes.
    waitingOn(socket).set(watcher, () => { conclude(watcher, raw, response, socket) })
  }
}

/** Another app, to which the first one has handed the request, has a list of its own. */
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

/** What ends a response that no hook has shown us. Under `inject` only onResponse does. */
function watchUnknown (watcher: ResponseWatcher, raw: IncomingMessage & { stream?: ServerHttp2Stream }): void {
  const { stream } = raw
  awaitResponse(raw, watcher, (response) => { conclude(watcher, raw, response, plainSocket(raw)) })
  stream?.once('close', () => {
    watcher.end(isStreamSent(stream) ? 'sent' : 'aborted', streamStatus(stream) ?? UNSET_STATUS)
    forgetResponse(raw, watcher)
  })
}

/** Tells the watcher how the response ended if it has. Fastify calls onResponse also for an error in its middle. */
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
    // An idle connection must not keep what it has served.
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

/** One listener for all requests of a keep-alive socket: one for each would set off MaxListenersExceededWarning. */
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

/** The request's own connection: none under HTTP/2, whose streams share one, and under `inject`. */
function plainSocket (raw: IncomingMessage): WatchedSocket | undefined {
  return raw.httpVersionMajor === 1 && raw.socket instanceof Socket ? raw.socket : undefined
}

function isOver (response: Response | undefined, socket: Socket | undefined): boolean {
  if (socket?.destroyed === true) return true
  if (response === undefined) return false
  // An HTTP/2 stream says finished of a response that still waits to be sent; an injected one ends when it is ended.
  if (response.stream !== undefined) return response.stream.destroyed
  return response.destroyed || (socket === undefined ? response.writableEnded : response.writableFinished)
}

function isSent (response: Response | undefined, socket: Socket | undefined): boolean {
  if (response === undefined) return false
  if (response.stream !== undefined) return isStreamSent(response.stream)
  if (!response.writableEnded) return false
  // Node.js says finished of what the socket took and then could not deliver; the socket's error tells.
  // An injected response is never writableFinished.
  return socket === undefined || (response.writableFinished && !socket.errored)
}

function statusOf (response: Response | undefined): number {
  return streamStatus(response?.stream) ?? response?.statusCode ?? UNSET_STATUS
}
