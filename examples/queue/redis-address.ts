/** Where Redis is: REDIS_URL, or this machine. */
export function redisAddress (): { host: string, port: number } {
  const { hostname, port } = new URL(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379')
  return { host: hostname, port: Number(port) || 6379 }
}
