import type { ComponentChildren } from 'preact'

/** The heading of a view, which gets the focus when the view is opened. */
export const Heading = ({ children }: { children: ComponentChildren }) => <h1 tabIndex={-1}>{children}</h1>
