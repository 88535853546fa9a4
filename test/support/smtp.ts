import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import type { Test } from 'tap'

/** Who was sent a mail, each time that somebody has tried. */
export const deliveries: Array<{ to: string, code: number }> = []

/** Starts a mail server, and resolves to its port. It knows nobody@example.com not at all, and is too busy for the first mail to busy@example.com. */
export async function startSmtpServer (t: Test): Promise<number> {
  deliveries.length = 0
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onRcptTo ({ address: to }, _session, done) {
      const isKnown = deliveries.some((delivery) => delivery.to === to)
      const code = to === 'nobody@example.com' ? 550 : to === 'busy@example.com' && !isKnown ? 451 : 250
      deliveries.push({ to, code })
      done(code === 250 ? null : Object.assign(new Error('refused'), { responseCode: code }))
    },
    onData (stream, _session, done) { stream.resume().once('end', done) }
  })
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  t.teardown(() => new Promise<void>((resolve) => { server.close(resolve) }))
  return (server.server.address() as AddressInfo).port
}
