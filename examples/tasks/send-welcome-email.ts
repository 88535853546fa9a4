import type { Transporter } from 'nodemailer'

export async function sendWelcomeEmail (mailer: Transporter, email: string): Promise<void> {
  await mailer.sendMail({
    to: email,
    subject: 'Welcome',
    text: 'Good to have you here.'
  })
}
