/** Shows the rows that wait for it, and goes to the beginning of the list. */
export function FreshRows ({ list }: { list: { fresh: number, ref: { current: HTMLElement | null }, showFresh: () => void } }) {
  if (list.fresh === 0) return null
  const show = (): void => {
    list.showFresh()
    const section = list.ref.current?.closest('section, main')
    section?.scrollIntoView({ block: 'start' })
    // The button is gone now, and the focus would be lost with it.
    section?.querySelector<HTMLElement>('h1, h2')?.focus({ preventScroll: true })
  }
  return <button type='button' class='fresh' onClick={show}>{list.fresh} new</button>
}
