import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.js'
import { oneLineLog } from './one-line-log.js'
import { startSmtpServer } from './smtp-server.js'

const smtp = await startSmtpServer(({ to, subject }) => {
  console.log(`SMTP server got mail for ${to}: ${subject}`)
})
const app = await buildApp({
  smtp: smtp.address,
  // Nobody listens there, so that you can see a task fail.
  warehouseUrl: 'http://127.0.0.1:4004/orders',
  logger: { level: 'debug', stream: oneLineLog }
})

// Longer than closeTimeout (10 s) and the second after it, so that the tasks get the time they were promised.
closeWithGrace({ delay: 15_000, logger: app.log }, async ({ err }) => {
  if (err !== undefined) app.log.error(err)
  await app.close()
  await smtp.close()
})

const url = await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

console.log(`
Open ${url} in a browser: it has a button for each request, and a link to the dashboard.
Or try, in another terminal:

  # 201 at once; the welcome e-mail follows
  curl -i ${url}/signup -H 'content-type: application/json' -d '{"email":"ann@example.com"}'

  # 202 at once; the file is processed afterwards, its result is where the location header says
  curl -i ${url}/uploads -H 'content-type: application/octet-stream' --data-binary @README.md

  # the warehouse cannot be reached, so the first task fails; the receipt is sent all the same
  curl -i ${url}/orders -H 'content-type: application/json' -d '{"item":"teapot","email":"ann@example.com"}'

  # 202 at once; the events follow the task that the location header names, from its progress to its result
  curl -i ${url}/reports -H 'content-type: application/json' -d '{"year":2026}'
  curl -N ${url}/tasks/<id>/events

  # hangs up before the reply; the task runs all the same
  curl -m 0.2 ${url}/slow

Then stop this process with Ctrl+C right after a sign-up: the e-mail still gets out.
`)
