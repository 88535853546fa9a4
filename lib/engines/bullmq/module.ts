import type * as Bullmq from 'bullmq'

/** What BullMQ exports, whichever way it was loaded. */
export type BullmqModule = Omit<typeof Bullmq, 'default'>
