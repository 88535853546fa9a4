import type * as Bullmq from 'bullmq'

/** The exports of BullMQ, from `import` or from `require`. */
export type BullmqModule = Omit<typeof Bullmq, 'default'>
