const levels: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

/** A log line of Fastify. The field of an error, a request or a response is an object. */
interface LogLine {
  level: number
  time: number
  msg: string
  reqId?: string
  req?: { method: string, url: string }
  res?: { statusCode: number }
  responseTime?: number
  err?: { message: string }
  [field: string]: unknown
}

/** The time of day, as the machine has it. */
function clock (time: number): string {
  const date = new Date(time)
  return `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** One line of text for a line of JSON: time, level, request, message, and what else there is. */
export function oneLine (json: string): string {
  const { level, time, msg, reqId = '', req, res, responseTime, err, pid, hostname, ...fields } = JSON.parse(json) as LogLine
  const parts = [
    clock(time),
    (levels[level] ?? String(level)).padEnd(5),
    reqId.padEnd(6),
    err === undefined || err.message === msg ? msg : `${msg}: ${err.message}`,
    req && `${req.method} ${req.url}`,
    res && `${res.statusCode} in ${Math.round(responseTime ?? 0)} ms`,
    ...Object.entries(fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  ]
  return parts.filter((part) => part !== undefined).join(' ').replace(/\s*\n\s*/g, ' ')
}

/** A stream for the logger of an example. In production, leave the JSON to what collects your logs. */
export const oneLineLog = {
  write (json: string): void { console.log(oneLine(json)) }
}
