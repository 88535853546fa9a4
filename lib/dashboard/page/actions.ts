import type { TaskSnapshot } from '../../../types/index.js'
import { base } from './base.js'
import { messageOf } from './refusal.js'

export type Action = 'retry' | 'cancel'

const had409: Record<Action, string> = {
  retry: 'was not run again: it has not ended, has completed, or another task has its key',
  cancel: 'was not cancelled: it had already ended'
}

async function outcome (action: Action, response: Response): Promise<string> {
  if (response.ok) {
    const { state } = await response.json() as TaskSnapshot
    if (action === 'retry') return 'runs again'
    return state === 'cancelled' ? 'is cancelled' : 'is told to stop: its worker ends it'
  }
  if (response.status === 404) return 'is not known any more'
  if (response.status === 409) return had409[action]
  if (response.status === 403) return 'is left as it is: this is not allowed (403)'
  if (response.status === 401) return 'is left as it is: you are not signed in (401)'
  return `is left as it is: ${await messageOf(response) ?? 'the app answers with'} (${response.status})`
}

/** Asks the server for it, and resolves to what has happened. */
export async function act (action: Action, task: { id: string, name: string }): Promise<string> {
  try {
    const response = await fetch(`${base}tasks/${encodeURIComponent(task.id)}/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-background-tasks': '1' },
      body: '{}'
    })
    return `${task.name} ${await outcome(action, response)}.`
  } catch {
    return `${task.name} is left as it is: the app does not answer.`
  }
}
