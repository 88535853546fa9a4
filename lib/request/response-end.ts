import type { IncomingMessage } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest, RawReplyDefaultExpression } from 'fastify'
import type { ResponseEnd } from '../../types/index.js'
import { awaitResponse, forgetResponse } from './unknown-response.js'

/** Wants to know how a response ended. May be told more than once; the first time counts. */
export interface ResponseWatcher {
  end (outcome: ResponseEnd['outcome'], statusCode: number): void
}

/** Of HTTP/1, of `inject`, or the compatible one of HTTP/2, which has a stream instead of `destroyed`. */
type Response = RawReplyDefaultExpression & { stream?: { destroyed: boolean, rstCode: number } }

/** What Node.js would send of a response whose status nobody has set. */
export const UNSET_STATUS = 200

const kWatcher = Symbol('fastify-background-tasks.watcher')
const kWaiting = Symbol('fastify-background-tasks.waiting')

type WatchedResponse = Response & { [kWatcher]?: ResponseWatcher | undefined }

/** `kWaiting`: what to do for each request whose response has no event of its own. */
type WatchedSocket = Socket & { [kWaiting]?: Map<ResponseWatcher, () => void> }

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
    forgetResponse(raw)
    // One function for all: each request pays for what is made here.
    response[kWatcher] = watcher
    response.on('close', onResponseClose)
  }
  // A response gets its socket when its turn comes.
  if (socket !== undefined && response?.socket !== socket) {
    waitingOn(socket).set(watcher, () => { conclude(watcher, raw, response, socket) })
  }
}

function onResponseClose (this: WatchedResponse): void {
  const watcher = this[kWatcher]
  if (watcher !== undefined) conclude(watcher, this.req, this, plainSocket(this.req))
}

/** What ends a response that no hook has shown us. Under `inject` only onResponse does. */
function watchUnknown (watcher: ResponseWatcher, raw: IncomingMessage & { stream?: ServerHttp2Stream }): void {
  const { stream } = raw
  awaitResponse(raw, (response) => { conclude(watcher, raw, response, plainSocket(raw)) })
  stream?.once('close', () => {
    const isWhole = stream.writableFinished && stream.rstCode === 0
    watcher.end(isWhole ? 'sent' : 'aborted', Number(stream.sentHeaders?.[':status'] ?? UNSET_STATUS))
    forgetResponse(raw)
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
  socket?.[kWaiting]?.delete(watcher)
  forgetResponse(raw)
  if (response !== undefined) response[kWatcher] = undefined
  watcher.end(isSent(response, socket) ? 'sent' : 'aborted', response?.statusCode ?? UNSET_STATUS)
}

/** One listener for all requests of a keep-alive socket: one for each would set off MaxListenersExceededWarning. */
function waitingOn (socket: WatchedSocket): Map<ResponseWatcher, () => void> {
  const known = socket[kWaiting]
  if (known !== undefined) return known
  const waiting = new Map<ResponseWatcher, () => void>()
  socket[kWaiting] = waiting
  socket.once('close', () => { for (const onClose of waiting.values()) onClose() })
  return waiting
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
  if (response === undefined || !response.writableEnded) return false
  // Node.js says finished of what the socket took and then could not deliver; the socket's error tells.
  if (socket !== undefined) return response.writableFinished && !socket.errored
  // An injected response is never writableFinished.
  return response.stream === undefined || (response.writableFinished && response.stream.rstCode === 0)
}
