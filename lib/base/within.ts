/** Settles as the promise of `start` settles, or rejects after `timeoutMs`. */
export async function within<Value> (timeoutMs: number, start: () => Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`no answer within ${timeoutMs} ms`)) }, timeoutMs)
  })
  try {
    return await Promise.race([start(), expired])
  } finally {
    clearTimeout(timer)
  }
}
