// The spans of background tasks belong to the trace of their request: `npx tsx examples/tracing.ts` prints one.
import type { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Context, type Span, SpanStatusCode, context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import Fastify, { type FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
// In an app of your own: import backgroundTasks from 'fastify-background-tasks'
import backgroundTasks, { type Task } from '../index.js'

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
const tracer = provider.getTracer('example')
const contextManager = new AsyncLocalStorageContextManager().enable()
context.setGlobalContextManager(contextManager)

/** A span for each request, as @fastify/otel makes them. */
const requestSpans = fp(async (app) => {
  const spans = new WeakMap<FastifyRequest, Span>()

  app.addHook('onRequest', async (req) => {
    spans.set(req, tracer.startSpan(`${req.method} ${req.routeOptions.url}`))
  })
  app.addHook('preHandler', (req, reply, done) => {
    context.with(trace.setSpan(context.active(), spans.get(req)!), done)
  })
  app.addHook('onResponse', async (req) => { spans.get(req)?.end() })
})

/** A span for each attempt of a task: a child of the span that was active when the task was added. */
function traceTasks (): void {
  const spans = new WeakMap<Task, Span>()
  const channel = tracingChannel<Context, { task: Task, error?: unknown }>('fastify-background-tasks.run')

  // The context manager keeps its storage to itself. Bound to the channel, it makes the span active inside the task.
  const storage: AsyncLocalStorage<Context> = contextManager['_asyncLocalStorage']
  channel.start.bindStore(storage, ({ task }) => {
    const span = tracer.startSpan(`task ${task.name}`, { attributes: { id: task.id, attempt: task.attempt } })
    spans.set(task, span)
    return trace.setSpan(context.active(), span)
  })
  channel.asyncEnd.subscribe((message) => {
    const { task, error } = message as { task: Task, error?: Error }
    const span = spans.get(task)
    if (error !== undefined) {
      span?.recordException(error)
      span?.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
    }
    span?.end()
  })
}

/** The spans as a tree, by their parents. */
function printTree (spans: ReadableSpan[], parentId?: string, indent = ''): void {
  for (const span of spans) {
    if (span.parentSpanContext?.spanId !== parentId) continue
    const { attempt } = span.attributes
    const problem = span.status.code === SpanStatusCode.ERROR ? `: ${span.status.message}` : ''
    console.log(`${indent}${span.name}${attempt === undefined ? '' : `, attempt ${String(attempt)}`}${problem}`)
    printTree(spans, span.spanContext().spanId, `${indent}  `)
  }
}

const app = Fastify()
await app.register(requestSpans)
await app.register(backgroundTasks)
traceTasks()

async function sendMail (to: string): Promise<void> {
  const span = tracer.startSpan(`SMTP ${to}`)
  await sleep(20)
  span.end()
}

async function callWebhook (task: Task): Promise<void> {
  await tracer.startActiveSpan('HTTP webhook', async (span) => {
    await sleep(5)
    span.end()
  })
  if (task.attempt === 1) throw new Error('502')
}

app.post('/orders', async (req) => {
  req.backgroundTasks.add(sendMail, 'ann@example.com')
  req.backgroundTasks.add({ retry: { retries: 1, delay: 10 } }, callWebhook)
  return { ok: true }
})

await app.inject({ method: 'POST', url: '/orders', payload: { item: 'teapot' } })
await app.backgroundTasks.idle()
await app.close()
printTree(exporter.getFinishedSpans())
