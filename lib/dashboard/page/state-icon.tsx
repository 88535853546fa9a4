import type { ComponentChildren } from 'preact'
import type { TaskState } from '../../../types/index.js'

/** A shape for each state, so that none is told by its colour alone. */
const shapes: Record<TaskState, ComponentChildren> = {
  waiting: <circle cx='8' cy='8' r='5.5' stroke-dasharray='2.2 2.1' />,
  active: <><circle cx='8' cy='8' r='6' /><path class='filled' d='M6.3 5.2v5.6l4.6-2.8z' /></>,
  delayed: <><circle cx='8' cy='8' r='6' /><path d='M8 4.6V8l2.4 1.6' /></>,
  completed: <><circle class='filled' cx='8' cy='8' r='6.5' /><path class='inverse' d='m5.2 8.2 2 2 3.7-4.1' /></>,
  failed: <><path class='filled' d='M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2z' /><path class='inverse' d='m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4' /></>,
  cancelled: <><circle cx='8' cy='8' r='6' /><path d='m4 12 8-8' /></>,
  skipped: <path d='m3 4 4 4-4 4m6-8 4 4-4 4' />
}

/** Beside the word for the state. */
export const StateIcon = ({ state }: { state: TaskState }) =>
  <svg class={`icon ${state}`} viewBox='0 0 16 16' aria-hidden='true'>{shapes[state]}</svg>

export const StateWord = ({ state }: { state: TaskState }) =>
  <span class={`state ${state}`}><StateIcon state={state} />{state}</span>
