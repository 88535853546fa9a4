import { useState } from 'preact/hooks'
import { act, type Action } from './actions.js'
import { announce } from './notice.js'

interface Props {
  task: { id: string, name: string, canRetry: boolean, canCancel: boolean }
  /** The id of the element that says which task it is. */
  describedBy: string
  isSmall?: boolean
  onActed?: () => void
}

/** The buttons of a task: what the viewer may do with it now. */
export function ActionsOfTask ({ task, describedBy, isSmall, onActed }: Props) {
  const [isBusy, setBusy] = useState(false)
  const button = (action: Action, label: string) => (
    <button
      type='button' class={isSmall === true ? 'small' : ''} disabled={isBusy} aria-describedby={describedBy}
      onClick={async () => {
        setBusy(true)
        onActed?.()
        announce(await act(action, task))
        setBusy(false)
      }}
    >{label}
    </button>
  )
  return <>{task.canRetry && button('retry', 'Retry')}{task.canCancel && button('cancel', 'Cancel')}</>
}
