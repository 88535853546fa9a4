import { Type } from '@fastify/type-provider-typebox'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineTask } from '../../index.js'

/** Counts the words of a text, more slowly than need be, so that you can watch it. */
export const countWords = defineTask({
  name: 'count-words',
  payload: Type.Object({ text: Type.String() }),
  result: Type.Object({ words: Type.Integer() }),
  timeout: 30_000,
  retry: 3,
  async handler ({ text }, task) {
    const words = text.split(/\s+/).filter(Boolean)
    // It may run twice, after a crash in the middle. What must not happen twice (a mail, a payment) asks first whether
    // it has been done for task.id.
    for (let counted = 0; counted < words.length; counted++) {
      task.progress(counted / words.length)
      await sleep(20, undefined, { signal: task.signal })
    }
    task.log.info({ words: words.length }, 'counted')
    return { words: words.length }
  }
})
