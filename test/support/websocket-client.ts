import type { FastifyInstance } from 'fastify'
import { RawClient } from './raw-client.js'

const opcodes = { text: 0x81, close: 0x88 }

/** Asks to upgrade a connection; the answer stands in `received`. */
export async function requestUpgrade (app: FastifyInstance, url = '/'): Promise<RawClient> {
  const client = await RawClient.connect(app)
  client.send('GET', url, {
    connection: 'upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': 13,
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ=='
  })
  return client
}

/** Opens a websocket. What the server says on it appears as it is in `received`, after the bytes of its frame's head. */
export async function openWebsocket (app: FastifyInstance, url = '/'): Promise<RawClient> {
  const client = await requestUpgrade(app, url)
  await client.receive('\r\n\r\n')
  return client
}

/** Sends a frame of up to 125 bytes, under a mask of zeros. */
export function sendFrame ({ socket }: RawClient, opcode: keyof typeof opcodes, text = ''): void {
  const payload = Buffer.from(text)
  socket.write(Buffer.concat([Buffer.from([opcodes[opcode], 0x80 | payload.length, 0, 0, 0, 0]), payload]))
}
