import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from '@sinclair/typebox'
import { defineTask } from '../../index.js'

const MONTHS = 12

/** Stands for a query that takes its time. */
async function salesOf (year: number, month: number, signal: AbortSignal): Promise<number> {
  return await sleep(20, year % 100 * month, { signal })
}

/** Adds up the sales of a year, month by month, and says how far it is. */
export const buildReport = defineTask({
  name: 'build-report',
  payload: Type.Object({ year: Type.Integer({ minimum: 2000, maximum: 2099 }) }),
  result: Type.Object({ year: Type.Integer(), total: Type.Number() }),
  async handler ({ year }, task) {
    let total = 0
    for (let month = 1; month <= MONTHS; month++) {
      total += await salesOf(year, month, task.signal)
      task.progress(month / MONTHS)
    }
    return { year, total }
  }
})
