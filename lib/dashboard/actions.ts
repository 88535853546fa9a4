import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { TaskSnapshot } from '../../types/index.js'
import type { AppTasks } from '../app/app-tasks.js'
import { NOT_FOUND, cancelForClient } from '../status/cancel-task.js'
import type { DashboardOptions } from './options.js'
import { mayAct } from './permission.js'
import { isFromOwnPage } from './same-origin.js'

interface TaskRoute {
  Params: { id: string }
}

const NO_EFFECT = { statusCode: 409, error: 'Conflict', message: 'the task cannot be retried' }
const forbidden = (message: string) => ({ statusCode: 403, error: 'Forbidden', message })
const FOREIGN = forbidden('only the page of the dashboard may do this')
const NOT_ALLOWED = forbidden('actions are not allowed')

/** Adds the routes that retry and cancel tasks. The hooks of the app come before the checks of these routes. */
export function addActions (app: FastifyInstance, tasks: AppTasks, actions: DashboardOptions['actions']): void {
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (!isFromOwnPage(request)) await reply.code(403).send(FOREIGN)
  }
  const add = (name: string, done: string, act: (id: string) => Promise<TaskSnapshot | { statusCode: number }>): void => {
    app.post<TaskRoute>(`/tasks/:id/${name}`, { onRequest }, async (request, reply) => {
      if (!await mayAct(actions, request)) return await reply.code(403).send(NOT_ALLOWED)
      const { id } = request.params
      const answer = await act(id)
      if ('statusCode' in answer) return await reply.code(answer.statusCode).send(answer)
      request.log.info({ task: answer.name, taskId: id }, `background task ${done} from the dashboard`)
      return answer
    })
  }
  add('cancel', 'cancelled', (id) => cancelForClient(tasks, id, 'cancelled from the dashboard'))
  add('retry', 'retried', async (id) => {
    const snapshot = await tasks.get(id)
    if (snapshot === undefined) return NOT_FOUND
    return await tasks.retry(id) ? await tasks.get(id) ?? snapshot : NO_EFFECT
  })
}
