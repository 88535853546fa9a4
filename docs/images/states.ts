import { Picture, type Point, type Tone } from './draw.js'

/** The states of a task, and what moves it from one to the next. */
export function states (): Picture {
  const picture = new Picture(760, 392, 'The states of a task',
    'A task is waiting, then active, then completed or failed. A task with retries left is delayed before its next attempt. ' +
    'A delayed start is delayed before its first attempt. A waiting task is skipped when the response does not meet its option when. ' +
    'An unfinished task may be cancelled.')
  const words = { size: 13 }
  const state = ([x, y]: Point, name: string, tone: Tone): void => {
    picture.box([x - 56, y - 21], [112, 42], tone, name, { bold: true, round: 21 })
  }

  picture.area([104, 36], [386, 258], 'unfinished')
  picture.text([26, 98], 'add(…)', { mono: true, size: 13 })
    .arrow([[26, 114], [138, 114]])
  state([194, 114], 'waiting', 'plain')
  picture.arrow([[250, 114], [338, 114]])
    .text([294, 98], 'its turn', { ...words, anchor: 'middle' })
  state([394, 114], 'active', 'blue')

  picture.arrow([[380, 135], [380, 219]])
    .text([370, 177], 'a retry is left', { ...words, anchor: 'end' })
    .arrow([[408, 219], [408, 135]])
    .text([418, 168], ['its time', 'has come'], words)
  state([394, 240], 'delayed', 'amber')
  picture.arrow([[222, 135], [222, 240], [338, 240]])
    .text([232, 224], 'delay', { mono: true, size: 13 })

  picture.arrow([[450, 104], [510, 104], [510, 66], [624, 66]])
    .text([567, 50], 'it returned', { ...words, anchor: 'middle' })
  state([680, 66], 'completed', 'green')

  picture.arrow([[450, 124], [510, 124], [510, 152], [624, 152]])
    .text([520, 136], 'no retry is left', words)
    .text([520, 170], 'after it threw', words)
    .text([520, 188], 'or timed out', words)
  state([680, 152], 'failed', 'red')

  picture.arrow([[490, 250], [624, 250]])
    .text([500, 234], 'cancel()', { mono: true, size: 13 })
    .text([500, 268], 'or close ends it', words)
    .text([500, 286], 'before its start', words)
  state([680, 250], 'cancelled', 'violet')

  picture.arrow([[166, 135], [166, 350], [624, 350]])
    .text([178, 334], 'its turn, but the response does not meet the option when', words)
  state([680, 350], 'skipped', 'plain')
  return picture
}
