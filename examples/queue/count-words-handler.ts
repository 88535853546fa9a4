import { setTimeout as sleep } from 'node:timers/promises'
import { implementTask } from '../../index.js'
import { countWords } from './count-words.js'

/** Counts the words of a text, more slowly than need be, so that you can watch it. Only workers import this file. */
export const countWordsSlowly = implementTask(countWords, {
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
