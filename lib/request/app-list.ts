import type { Definition } from '../named/definition.js'
import { RegisteredTask } from '../stored/registered-task.js'
import { TaskList } from './task-list.js'

/** The tasks that were added to the app, and those of its schedules. */
export class AppList extends TaskList {
  /** Adds the task of a tick. Returns false when the task of an earlier tick is unfinished in this process. */
  addTick (definition: Definition, payload: unknown, id: string): boolean {
    const task = this.addNamed(definition, payload, undefined, id)
    // A captured task is not a registered one.
    return !(task instanceof RegisteredTask) || task.stored.id === id
  }
}
