import swagger from '@fastify/swagger'
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { defineTask } from '../../index.js'
import { type TaskRoutesOptions, taskRoutes } from '../../lib/routes.js'

/** The OpenAPI document of an app that has the routes. */
async function readDocument (t: Test, options: TaskRoutesOptions = {}): Promise<any> {
  const work = defineTask({ name: 'work', payload: {}, result: Type.Object({ internal: Type.String() }), handler: () => ({ internal: '' }) })
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(swagger, { openapi: { openapi: '3.1.0' } })
  await app.register(backgroundTasks, { tasks: [work] })
  await app.register(taskRoutes, { prefix: '/tasks', ...options })
  await app.ready()
  return JSON.parse(JSON.stringify(app.swagger()))
}

const snapshotKeys = ['attempt', 'createdAt', 'error', 'finishedAt', 'id', 'name', 'progress', 'result', 'startedAt', 'state']

t.test('the document has every route and no other, each with a summary and its parameter', async (t) => {
  const routesOf = ({ paths }: any): unknown => Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`))
  t.same(routesOf(await readDocument(t)), ['get /tasks/{id}', 'get /tasks/{id}/events'])
  const document = await readDocument(t, { cancel: true })
  t.same(routesOf(document), ['get /tasks/{id}', 'delete /tasks/{id}', 'get /tasks/{id}/events'])
  for (const methods of Object.values(document.paths)) {
    for (const operation of Object.values(methods as object)) {
      t.ok(operation.summary.length > 0)
      t.match(operation.parameters, [{ in: 'path', name: 'id', required: true, schema: { type: 'string' } }])
      t.equal(operation.parameters.length, 1)
      t.notOk('requestBody' in operation)
    }
  }
})

t.test('the document gives the replies of each route, with descriptions', async (t) => {
  const { paths } = await readDocument(t, { cancel: true })
  const codesOf = ({ responses }: any): string[] => Object.keys(responses)
  t.same(codesOf(paths['/tasks/{id}'].get), ['200', '404'])
  t.same(codesOf(paths['/tasks/{id}'].delete), ['200', '404', '409'])
  t.same(codesOf(paths['/tasks/{id}/events'].get), ['200', '404'])
  t.same(Object.keys(paths['/tasks/{id}/events'].get.responses[200].content), ['text/event-stream'])
  for (const methods of Object.values(paths)) {
    for (const { responses } of Object.values(methods as object)) {
      for (const [code, { description, content }] of Object.entries<any>(responses)) {
        t.notMatch(description, /^Default Response$/)
        if (code !== '200') t.same(Object.keys(content['application/json'].schema.properties), ['statusCode', 'error', 'message'])
      }
    }
  }
})

t.test('the document describes the snapshot in full, and nothing of payloads and results of tasks', async (t) => {
  const document = await readDocument(t, { cancel: true })
  for (const method of ['get', 'delete']) {
    const { schema } = document.paths['/tasks/{id}'][method].responses[200].content['application/json']
    t.same(Object.keys(schema.properties).sort(), snapshotKeys)
    t.same(schema.required.sort(), ['attempt', 'createdAt', 'id', 'name', 'state'])
    t.same(schema.properties.state, {
      type: 'string', enum: ['waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled', 'skipped']
    })
    t.same(Object.keys(schema.properties.error.properties), ['name', 'code', 'message'])
    t.same(schema.properties.error.required, ['name', 'message'])
    for (const time of ['createdAt', 'startedAt', 'finishedAt']) t.match(schema.properties[time], { type: 'string', format: 'date-time' })
  }
  t.notMatch(JSON.stringify(document), /internal|stack/)
})

t.test('what an app changes in the schemas of its routes does not reach another app', async (t) => {
  const tagged = Fastify()
  t.teardown(() => tagged.close())
  tagged.addHook('onRoute', ({ schema }) => { schema!.tags = ['tasks'] })
  await tagged.register(backgroundTasks)
  await tagged.register(taskRoutes, { cancel: true })
  await tagged.ready()
  t.notMatch(JSON.stringify(await readDocument(t, { cancel: true })), /"tags":\["tasks"\]/)
})
