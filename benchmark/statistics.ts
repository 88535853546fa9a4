/** The value below which the share `q` of the values lies, interpolated. */
export function quantile (values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort()
  const position = (sorted.length - 1) * q
  const below = sorted[Math.floor(position)] as number
  const above = sorted[Math.ceil(position)] as number
  return below + (above - below) * (position - Math.floor(position))
}

export function median (values: ArrayLike<number>): number {
  return quantile(values, 0.5)
}

/** Combines what two variants measured at the same time, pair by pair. */
export function paired (a: number[], b: number[], combine: (a: number, b: number) => number): number[] {
  return a.map((value, index) => combine(value, b[index] as number))
}

export function ratios (a: number[], b: number[]): number[] {
  return paired(a, b, (x, y) => x / y)
}

export function differences (a: number[], b: number[]): number[] {
  return paired(a, b, (x, y) => x - y)
}

export function shuffled<T> (items: T[]): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const item = result[i] as T
    result[i] = result[j] as T
    result[j] = item
  }
  return result
}
