import type { Test } from 'tap'
import { type App, buildApp } from '../../examples/app.js'
import { unreachableUrl } from '../../examples/demo/unreachable-url.js'
import { type Mail, startSmtpServer } from '../../examples/smtp-server.js'

/** The app of the examples with a mail server of its own, while its warehouse cannot be reached. */
export async function startExampleApp (t: Test): Promise<{ app: App, mails: Mail[] }> {
  const mails: Mail[] = []
  const smtp = await startSmtpServer((mail) => { mails.push(mail) }, 0)
  const app = await buildApp({ smtp: smtp.address, warehouseUrl: await unreachableUrl() })
  t.teardown(async () => {
    await app.close()
    await smtp.close()
  })
  return { app, mails }
}
