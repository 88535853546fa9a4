import type { ServerHttp2Stream } from 'node:http2'

/** The stream tells, not its response, which knows nothing of what is sent by the stream itself. */
export function isStreamSent ({ sentHeaders, writableFinished, aborted, rstCode }: ServerHttp2Stream): boolean {
  // A client may reset without an error code. Node.js then ends the stream itself, and says aborted.
  return sentHeaders !== undefined && writableFinished && !aborted && rstCode === 0
}

/** The status that was sent; undefined when there is none yet. */
export function streamStatus (stream: ServerHttp2Stream | undefined): number | undefined {
  const status = stream?.sentHeaders?.[':status']
  return status === undefined ? undefined : Number(status)
}
