/** Throws an error that says what to install when BullMQ is missing. Throws any other error as it is. */
export function explainMissing (error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException
  if ((code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && /'bullmq'/.test(message)) {
    throw new Error(
      'fastify-background-tasks/bullmq needs BullMQ: npm install bullmq ioredis (for Redis) or npm install bullmq pg (for PostgreSQL)',
      { cause: error })
  }
  throw error
}
