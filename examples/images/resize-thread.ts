// Runs in a worker thread. Jimp is plain JavaScript: on the event loop it would hold up every other request.
import { join } from 'node:path'
import { Jimp } from 'jimp'
import type { ThreadTask } from '../../index.js'

interface Order {
  upload: string
  folder: string
  widths: number[]
}

interface Size {
  width: number
  height: number
}

export default async function resize ({ upload, folder, widths }: Order, task: ThreadTask): Promise<{ original: Size, copies: Size[] }> {
  const image = await Jimp.read(upload)
  const copies: Size[] = []
  for (const w of widths) {
    const copy = image.clone().resize({ w })
    await copy.write(`${join(folder, task.id)}-${w}.png`)
    copies.push({ width: copy.width, height: copy.height })
    task.progress(copies.length / widths.length)
  }
  return { original: { width: image.width, height: image.height }, copies }
}
