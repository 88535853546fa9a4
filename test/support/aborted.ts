import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Latch } from './latch.js'
import { type Probe, actualRuns, expectedRuns } from './probe.js'

interface Aborted {
  readonly app: FastifyInstance
  readonly probe: Probe
  /** Resolved by the end of the connection, or of the stream. */
  readonly gone: Latch
  /** Lets the handler go on. */
  readonly released: Latch
  readonly statusCode: number
}

/** The tasks of a request whose client goes have run, once and soon, whatever the handler does then. */
export async function testAborted (t: Test, { app, probe, gone, released, statusCode }: Aborted): Promise<void> {
  await probe.settled(app)
  const before = actualRuns(probe)
  await gone.promise
  released.resolve()
  await app.close()

  t.same(before, expectedRuns({ outcome: 'aborted', statusCode }))
  t.same(actualRuns(probe), before, 'what the handler does afterwards changes nothing')
  t.ok(probe.runs.every(({ delay }) => delay <= 100), 'soon after the end')
}
