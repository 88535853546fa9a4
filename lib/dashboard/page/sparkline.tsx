const WIDTH = 120
const HEIGHT = 28

interface Props {
  values: number[]
  /** What the line shows, in words. */
  label: string
  /** A line below this stays low: noise would look like news. */
  full: number
  class: string
}

/** The values of the last minute as a line, the latest at the right. */
export function Sparkline ({ values, label, full: least, class: name }: Props) {
  const full = Math.max(...values, least)
  const x = (index: number): number => WIDTH - (values.length - 1 - index) * WIDTH / 59
  const points = values.map((value, index) => `${x(index).toFixed(1)},${(HEIGHT - 2 - value / full * (HEIGHT - 4)).toFixed(1)}`)
  return (
    <svg class={`sparkline ${name}`} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio='none' role='img' aria-label={label}>
      {points.length > 0 && <polygon points={`${x(0).toFixed(1)},${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}`} />}
      <polyline points={points.join(' ')} />
    </svg>
  )
}
