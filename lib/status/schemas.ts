import type { TaskSnapshot } from '../../types/index.js'

// Plain JSON schemas: TypeBox would make the same schemas, but loads several times as long as the plugin.
// Each route copies its schema, which hooks of the app may change.

const STATES: Array<TaskSnapshot['state']> = ['waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled', 'skipped']

const time = (description: string) => ({ type: 'string', format: 'date-time', description })

const properties: Record<keyof TaskSnapshot, object> = {
  id: { type: 'string', format: 'uuid' },
  name: { type: 'string' },
  state: { type: 'string', enum: STATES },
  attempt: { type: 'integer', minimum: 1, description: 'The attempt that runs, ran last or will run first' },
  progress: { description: 'The last progress of the task: a number from 0 to 1, or any JSON' },
  createdAt: time('When the task was added'),
  startedAt: time('When the first attempt started'),
  finishedAt: time('When the task ended'),
  error: {
    type: 'object',
    description: 'Why the task failed or was cancelled',
    required: ['name', 'message'],
    properties: { name: { type: 'string' }, code: { type: 'string' }, message: { type: 'string' } }
  },
  result: { description: 'The result, in the form that its schema declares' }
}

const snapshot = {
  type: 'object',
  description: 'A background task',
  required: ['id', 'name', 'state', 'attempt', 'createdAt'],
  properties
}

const failure = (description: string) => ({
  type: 'object',
  description,
  required: ['statusCode', 'error', 'message'],
  properties: { statusCode: { type: 'integer' }, error: { type: 'string' }, message: { type: 'string' } }
})

const params = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', description: 'The id of the task' } }
}

const notFound = failure('There is no such task')

export const getSchema = {
  summary: 'The state of a background task, and its result once completed',
  params,
  response: { 200: snapshot, 404: notFound }
}

export const eventsSchema = {
  summary: 'Follows a background task to its end by server-sent events',
  description: 'Events `state` and `progress`, whose data is the task as JSON. The last event is the final `state`.',
  params,
  response: {
    200: { description: 'A stream of events', content: { 'text/event-stream': { schema: { type: 'string' } } } },
    404: notFound
  }
}

export const cancelSchema = {
  summary: 'Cancels a background task',
  params,
  response: { 200: snapshot, 404: notFound, 409: failure('The task has already ended') }
}
