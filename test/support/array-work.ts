const METHODS = [
  'every', 'filter', 'find', 'findIndex', 'flatMap', 'forEach', 'includes', 'indexOf', 'map', 'shift', 'slice', 'some', 'splice', 'unshift'
] as const

/** How many items the methods of arrays have to look at, or may have to move, while `work` is done. */
export async function countArrayWork (work: () => unknown): Promise<number> {
  const prototype = Array.prototype as unknown as Record<string, (...args: unknown[]) => unknown>
  const originals = METHODS.map((name) => [name, prototype[name]!] as const)
  let items = 0
  for (const [name, original] of originals) {
    prototype[name] = function (this: unknown[], ...args) {
      items += this.length
      return original.apply(this, args)
    }
  }
  try {
    await work()
  } finally {
    for (const [name, original] of originals) prototype[name] = original
  }
  return items
}
