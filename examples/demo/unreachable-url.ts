import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** The URL of a server that has just gone away. */
export async function unreachableUrl (): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}/orders`
}
