import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { SMTPServer } from 'smtp-server'
import type { SmtpAddress } from './plugins/mailer.js'

export interface Mail {
  to: string
  subject: string
}

export interface LocalSmtpServer {
  address: SmtpAddress
  close (): Promise<void>
}

/** A real SMTP server on a free loopback port, as slow as real ones are: it takes `delayMs` to accept a mail. */
export async function startSmtpServer (onMail: (mail: Mail) => void, delayMs = 100): Promise<LocalSmtpServer> {
  const smtp = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    async onData (stream, { envelope }, accept) {
      const source = await text(stream)
      await sleep(delayMs)
      const to = envelope.rcptTo.map(({ address }) => address).join(', ')
      onMail({ to, subject: /^Subject: (.*)$/m.exec(source)?.[1] ?? '' })
      accept()
    }
  })
  smtp.listen(0, '127.0.0.1')
  await once(smtp.server, 'listening')
  const { address: host, port } = smtp.server.address() as AddressInfo
  return {
    address: { host, port },
    close: () => new Promise((resolve) => { smtp.close(resolve) })
  }
}
