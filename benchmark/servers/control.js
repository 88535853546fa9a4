import { setTimeout as sleep } from 'node:timers/promises'

/** What the benchmark asked this process to be. */
export const spec = JSON.parse(process.argv[2])

/** Answers the benchmark's questions over IPC, and goes away with it. */
export function answer (questions) {
  process.on('disconnect', () => process.exit())
  process.on('message', async ({ id, question, value }) => {
    try {
      process.send({ id, answer: await questions[question](value) })
    } catch (error) {
      process.send({ id, error: error.stack })
    }
  })
}

/** Listens on a free port and says so. */
export async function listen (app) {
  await app.listen({ host: '127.0.0.1', port: 0 })
  process.send({ port: app.server.address().port })
}

/** Waits until `count()` has reached `expected`: a way that loses tasks, or runs one twice, measures nothing. */
export async function reach (count, expected) {
  for (let waitedMs = 0; count() < expected && waitedMs < 10_000; waitedMs += 5) await sleep(5)
  if (count() !== expected) throw new Error(`${count()} tasks ran, expected ${expected}`)
}
