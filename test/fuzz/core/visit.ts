import { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { createLatch } from '../../support/latch.js'
import type { RequestPlan } from './plan.js'

/** A request, as both sides see it. */
export class Visit {
  readonly index: number
  readonly plan: RequestPlan
  request: FastifyRequest | undefined = undefined
  /** Whether the response, or its connection, has come to its end. */
  isOver = false
  /** Whether the handler has come to its reply. */
  isHandled = false
  /** Whether what goes on behind the response is done. */
  isDone = false
  /** Resolved when the handler has begun. */
  readonly begun = createLatch()
  readonly over = createLatch()
  /** The client has its reply, or has none to wait for. */
  isAnswered = false
  /** What the client has got: the status of a whole reply. */
  status: number | undefined = undefined

  constructor (index: number, plan: RequestPlan) {
    this.index = index
    this.plan = plan
  }

  /** What the whole reply has in it, and no other. */
  get mark (): string {
    return `<${this.index}>`
  }

  /** Whether nothing is to come on the network. */
  get isAtRest (): boolean {
    return this.isAnswered && (this.request === undefined || (this.isOver && this.isHandled && this.isDone))
  }

  get expectedStatus (): number {
    const { reply, status = 200 } = this.plan
    return reply === 'throw' ? Math.max(status, 400) : status
  }

  watch (request: FastifyRequest, reply: FastifyReply): void {
    this.request = request
    const onOver = (): void => {
      this.isOver = true
      this.over.resolve()
    }
    reply.raw.once('finish', onOver)
    reply.raw.once('close', onOver)
    const { socket } = request.raw
    if (request.raw.httpVersionMajor !== 1 || !(socket instanceof Socket)) return
    if (socket.destroyed) onOver()
    socket.setMaxListeners(0).once('close', onOver)
  }
}
