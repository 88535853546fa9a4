// PostgreSQL keeps neither U+0000 nor half a surrogate pair, in JSON or in text.

/** Whether every store can keep the text. */
export function isKeepable (text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** The text with U+FFFD in place of what a store cannot keep. */
export function toKeepable (text: string): string {
  return isKeepable(text) ? text : text.toWellFormed().replaceAll('\0', '\ufffd')
}

/** An escape for a character that a store cannot keep, after an even number of backslashes. */
const UNKEEPABLE_ESCAPE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f]..)/g

/** As `toKeepable`, for the output of JSON.stringify. */
export function toKeepableJson (json: string): string {
  return json.toWellFormed().replace(UNKEEPABLE_ESCAPE, '$1\ufffd')
}
