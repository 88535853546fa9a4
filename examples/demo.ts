/** Shows what the plugin does, with a real app: npm run demo */
import { Client } from './demo/client.js'
import { openWorkplace } from './demo/workplace.js'

/** Ends a demo that hangs. */
const LIMIT_MS = 30_000

function fail (error: unknown): void {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.stack : error}`)
  process.exit(1)
}

async function demo (): Promise<void> {
  const client = new Client()
  const workplace = openWorkplace()
  // While this process loads the app, the other ones start.
  const { play } = await import('./demo/play.js')
  await play(client, workplace)
}

setTimeout(fail, LIMIT_MS, `it did not end within ${LIMIT_MS / 1000} s`).unref()
demo().catch(fail)
