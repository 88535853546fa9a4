import type { TaskSnapshot } from '../../index.js'

export interface TaskEvent {
  event: 'progress' | 'state'
  task: TaskSnapshot
}

/** Reads server-sent events as they come. In a browser an EventSource does that. */
export async function * readEvents (response: Response): AsyncGenerator<TaskEvent, void, undefined> {
  let text = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const messages = (text + chunk).split('\n\n')
    text = messages.pop() ?? ''
    for (const message of messages) {
      const [, event, data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(message) ?? []
      // Anything else is a comment that keeps the connection alive.
      if (event === 'progress' || event === 'state') yield { event, task: JSON.parse(data) }
    }
  }
}
