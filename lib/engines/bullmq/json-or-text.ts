/** BullMQ writes JSON. What another program has written is shown as it is. */
export function parseOrText (text: string | null | undefined): any {
  if (text === null || text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
