import type { Transporter } from 'nodemailer'
import type { Order } from './notify-warehouse.js'

export async function sendReceipt (mailer: Transporter, order: Order): Promise<void> {
  await mailer.sendMail({
    to: order.email,
    subject: `Your order ${order.id}`,
    text: `One ${order.item} is on its way.`
  })
}
