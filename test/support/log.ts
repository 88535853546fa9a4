import type { FastifyServerOptions } from 'fastify'

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** A log line as written, less what is the same in all. */
export interface Line {
  level: Level
  msg: string
  [field: string]: unknown
}

export interface Log {
  /** What Fastify takes as its `logger` option. */
  logger: NonNullable<FastifyServerOptions['logger']>
  lines: Line[]
  /** The lines of tasks, less those of requests and of Fastify itself. */
  taskLines (): Line[]
}

const LEVELS: Record<number, Level> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

/** A pino logger that keeps its lines. */
export function createLog (level: Level = 'debug'): Log {
  const lines: Line[] = []
  const stream = {
    write (text: string): void {
      const { level, time, pid, hostname, ...fields } = JSON.parse(text)
      lines.push({ level: LEVELS[level], ...fields })
    }
  }
  return {
    logger: { level, stream },
    lines,
    taskLines: () => lines.filter(({ msg }) => /background tasks?\b/.test(msg))
  }
}
