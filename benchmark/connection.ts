import { once } from 'node:events'
import { connect } from 'node:net'

/** A keep-alive connection that sends the same GET again and again, one at a time. */
export interface Connection {
  /** Sends the request; `done` gets the time from the write to the last byte of the response. */
  send (done: (latencyMs: number) => void): void
  close (): void
}

const HEAD_END = '\r\n\r\n'
const STATUS_OK = 'HTTP/1.1 200 '

/** Reads the length of a whole response off its first one: all responses to the same GET are equally long. */
function responseLength (text: string): number | undefined {
  if (!text.startsWith(STATUS_OK)) throw new Error(`unexpected response: ${text.slice(0, 200)}`)
  const headLength = text.indexOf(HEAD_END)
  if (headLength === -1) return undefined
  const [, bodyLength] = /content-length: (\d+)/i.exec(text) ?? []
  if (bodyLength === undefined) throw new Error(`no content-length: ${text}`)
  return headLength + HEAD_END.length + Number(bodyLength)
}

/**
 * Raw sockets instead of an HTTP client: with two cores, what the client spends is taken from the server's throughput.
 *
 * `onError` is called when the connection breaks or a response is not the one expected.
 */
export async function openConnection (port: number, path: string, onError: (error: Error) => void): Promise<Connection> {
  const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')

  let first = ''
  let expected: number | undefined
  let received = 0
  let sentAt = 0
  let onDone: (latencyMs: number) => void = () => {}

  function receive (chunk: Buffer): void {
    if (expected === undefined) {
      first += chunk.toString('latin1')
      expected = responseLength(first)
    } else if (received === 0 && chunk.toString('latin1', 0, STATUS_OK.length) !== STATUS_OK) {
      throw new Error(`unexpected response: ${chunk.toString('latin1', 0, 200)}`)
    }
    received += chunk.length
    if (expected === undefined || received < expected) return
    if (received > expected) throw new Error(`${received} bytes received, expected ${expected}`)
    received = 0
    onDone(performance.now() - sentAt)
  }

  socket.on('data', (chunk: Buffer) => {
    try {
      receive(chunk)
    } catch (error) {
      socket.destroy()
      onError(error as Error)
    }
  })
  socket.on('error', onError)
  socket.on('end', () => onError(new Error('the server closed a connection')))

  return {
    send (done) {
      onDone = done
      sentAt = performance.now()
      socket.write(bytes)
    },
    close () {
      socket.destroy()
    }
  }
}
