import fp from 'fastify-plugin'
import { createTransport, type Transporter } from 'nodemailer'

export interface SmtpAddress {
  host: string
  port: number
}

declare module 'fastify' {
  interface FastifyInstance {
    mailer: Transporter
  }
}

/** `app.mailer` keeps connections to the SMTP server. They are still open when tasks run during shutdown. */
export const mailer = fp<SmtpAddress>(async (app, { host, port }) => {
  const transport = createTransport({ host, port, pool: true }, { from: 'shop@example.com' })
  app.decorate('mailer', transport)

  app.addHook('onClose', async () => {
    transport.close()
    app.log.info('mailer: connections closed')
  })
})
