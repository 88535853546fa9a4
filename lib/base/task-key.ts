/** One string for the name and the key of a task. */
export function taskKey (name: string, key: string): string {
  return JSON.stringify([name, key])
}
