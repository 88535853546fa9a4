import type { ComponentChildren } from 'preact'

export function focusHeading (): void {
  document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true })
}

/** The heading of a view, which gets the focus when the view is opened. */
export const Heading = ({ children }: { children: ComponentChildren }) => <h1 tabIndex={-1}>{children}</h1>
