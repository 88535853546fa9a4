import type { ServerHttp2Stream } from 'node:http2'

/** Whether an HTTP/2 stream was sent in full. Its response cannot tell: it does not know what the stream itself has sent. */
export function isStreamSent ({ sentHeaders, writableFinished, aborted, rstCode }: ServerHttp2Stream): boolean {
  // A client may reset a stream without an error code. Node.js then ends the stream and sets `aborted`.
  return sentHeaders !== undefined && writableFinished && !aborted && rstCode === 0
}

/** The status code that was sent, or undefined before the headers are sent. */
export function streamStatus (stream: ServerHttp2Stream | undefined): number | undefined {
  const status = stream?.sentHeaders?.[':status']
  return status === undefined ? undefined : Number(status)
}
