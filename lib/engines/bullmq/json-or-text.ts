/** Parses the JSON that BullMQ writes. The text of another program that is not JSON is returned as it is. */
export function parseOrText (text: string | null | undefined): any {
  if (text === null || text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
