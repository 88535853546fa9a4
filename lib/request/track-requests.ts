import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestBackgroundTasks } from '../../types/index.js'
import { concludeIfOver, watchResponse } from './response-end.js'
import type { TaskList } from './task-list.js'

const kReply = Symbol('fastify-background-tasks.reply')
const kTasks = Symbol('fastify-background-tasks.tasks')

interface TrackedRequest extends FastifyRequest {
  /** The reply. Set by our onRequest hook. */
  [kReply]?: FastifyReply | undefined
  /** The list. Made when `backgroundTasks` is first read. */
  [kTasks]?: TaskList
}

/** Gives every request a list of tasks, and ends the list with the response. A list is made when it is first read. */
export function trackRequests (app: FastifyInstance, createList: (request: FastifyRequest) => TaskList): void {
  function watch (list: TaskList, request: TrackedRequest): void {
    list.reply = request[kReply]
    // Only the list has it from now on, until the response is over.
    request[kReply] = undefined
    watchResponse(list, request, list.reply)
  }

  app.decorateRequest<RequestBackgroundTasks>('backgroundTasks', {
    getter () {
      const request = this as TrackedRequest
      const known = request[kTasks]
      if (known !== undefined) return known
      const list = request[kTasks] = createList(request)
      watch(list, request)
      return list
    }
  })

  app.addHook('onRequest', (request: TrackedRequest, reply, done) => {
    request[kReply] = reply
    // An earlier plugin's onRequest hook may have added a task.
    const list = listOf(request)
    if (list !== undefined) watch(list, request)
    done()
  })

  app.addHook('onResponse', (request, reply, done) => {
    const list = listOf(request)
    if (list !== undefined) concludeIfOver(list, request, reply)
    done()
  })
}

/** The list of a request, if it has one. */
export function listOf (request: FastifyRequest): TaskList | undefined {
  return (request as TrackedRequest)[kTasks]
}
