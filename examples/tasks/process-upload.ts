import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Task } from '../../index.js'

export interface ProcessedUpload {
  bytes: number
  gzippedBytes: number
  sha256: string
}

/** Computes the checksum of an upload and compresses it. */
export async function processUpload (body: Buffer, results: Map<string, ProcessedUpload>, task: Task): Promise<void> {
  const sha256 = createHash('sha256').update(body).digest('hex')
  task.progress(0.5)
  const gzipped = await promisify(gzip)(body)
  task.log.info({ bytes: body.length, gzippedBytes: gzipped.length }, 'upload compressed')
  results.set(task.id, { bytes: body.length, gzippedBytes: gzipped.length, sha256 })
}
