import { useEffect, useReducer, useRef } from 'preact/hooks'

// Rows must not move while somebody is about to click one. The pointer counts once it has moved on a list: a list that comes
// to be under a pointer that rests does not count.

let isPointerOn = false
const wakers = new Set<() => void>()
const wake = (): void => { for (const waker of wakers) waker() }

const isInList = (target: EventTarget | null): boolean => target instanceof Element && target.closest('[data-list]') !== null

addEventListener('pointermove', ({ target }) => {
  const was = isPointerOn
  isPointerOn = isInList(target)
  if (was && !isPointerOn) wake()
}, { passive: true })
document.documentElement.addEventListener('pointerleave', () => {
  isPointerOn = false
  wake()
})
addEventListener('scroll', wake, { passive: true })
addEventListener('focusout', () => { setTimeout(wake) })

/** Where what is seen begins: below the header, unless that has been scrolled away. */
const visibleTop = (): number => Math.max(0, document.querySelector('header')?.getBoundingClientRect().bottom ?? 0)

/** Whether somebody has scrolled into the list, or to the end of the page: the last rows are what they look at. */
function isScrolled (list: HTMLElement): boolean {
  const isAtEnd = scrollY > 0 && scrollY + innerHeight >= document.documentElement.scrollHeight - 1
  return isAtEnd || list.getBoundingClientRect().top < visibleTop()
}

function isHeld (list: HTMLElement | null): boolean {
  if (list === null) return false
  return isPointerOn || isScrolled(list) || list.querySelector(':focus-visible') !== null
}

interface HeldList<Row> {
  /** Those shown. A row that is gone stays until the list may move. */
  rows: Array<{ key: string, row: Row, isGone: boolean }>
  /** How many wait to be shown. */
  fresh: number
  ref: { current: HTMLElement | null }
  showFresh: () => void
}

/** The rows of a list that stands still while somebody points at it, or has scrolled into it. */
export function useHeldList<Row> (rows: Row[], keyOf: (row: Row) => string): HeldList<Row> {
  const ref = useRef<HTMLElement | null>(null)
  const shown = useRef<Map<string, Row>>(new Map())
  const [, update] = useReducer((tick: number, _: unknown) => tick + 1, 0)
  const current = new Map(rows.map((row) => [keyOf(row), row]))
  const mayMove = shown.current.size === 0 || !isHeld(ref.current)
  shown.current = mayMove ? current : new Map([...shown.current].map(([key, row]) => [key, current.get(key) ?? row]))
  const fresh = [...current.keys()].filter((key) => !shown.current.has(key)).length
  const mustWake = useRef(false)
  mustWake.current = fresh > 0 || [...shown.current.keys()].some((key) => !current.has(key))

  useEffect(() => {
    const waker = (): void => { if (mustWake.current && !isHeld(ref.current)) update(undefined) }
    wakers.add(waker)
    return () => { wakers.delete(waker) }
  }, [])

  return {
    rows: [...shown.current].map(([key, row]) => ({ key, row, isGone: !current.has(key) })),
    fresh,
    ref,
    showFresh () {
      shown.current = new Map()
      update(undefined)
    }
  }
}
