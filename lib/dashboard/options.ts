import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import type { TaskSnapshot } from '../../types/index.js'

/** Options of `app.register(dashboard, options)`. */
export interface DashboardOptions {
  /**
   * Hooks that let nobody in who may not see the tasks. They run for the page, its assets, its data and its actions. `[]` is
   * accepted where something around the dashboard protects it, and logs one line.
   */
  onRequest: onRequestHookHandler | onRequestHookHandler[]
  /**
   * Whether tasks may be retried and cancelled, by everybody or by whom the function says. The function is called when a page
   * is opened, and for each action. If it throws, the answer is no.
   * @default false
   */
  actions?: boolean | ((request: FastifyRequest) => boolean | Promise<boolean>)
  /**
   * What of a payload may be shown in the view of a task: all of it, or what the function returns. If the function throws, nothing
   * is shown.
   * @default false
   */
  payload?: boolean | ((payload: unknown, task: TaskSnapshot) => unknown)
}
