import { Picture } from './draw.js'

/** One request in time. */
export function request (): Picture {
  const picture = new Picture(760, 352, 'One request and its tasks in time',
    'The handler adds two tasks and replies. Both tasks wait until the response is over. The first completes, then the second runs and fails. ' +
    'Its error is logged with the id of the request. The client had its reply all along.')
  const lanes = { client: 52, handler: 112, first: 172, second: 232, log: 300 }
  const over = 372

  picture.text([20, lanes.client], 'client', { bold: true })
    .text([20, lanes.handler], 'handler', { bold: true })
    .text([20, lanes.first], 'task 1', { bold: true })
    .text([20, lanes.second], 'task 2', { bold: true })
    .text([20, lanes.log], 'log', { bold: true })

  // The end of the response goes through all lanes, behind everything else.
  picture.arrow([[over, 34], [over, lanes.log + 30]], { dashed: true, plain: true })
    .text([over, 20], 'the response is over', { bold: true, anchor: 'middle' })

  picture.box([96, lanes.client - 16], [250, 32], 'plain', 'waits for its reply')
    .text([over + 12, lanes.client], 'has its 201, and may go')

  picture.arrow([[104, lanes.client + 16], [104, lanes.handler - 16]])
    .box([104, lanes.handler - 16], [230, 32], 'blue')
    .text([114, lanes.handler], 'add(…)', { mono: true, size: 13 })
    .text([184, lanes.handler], 'add(…)', { mono: true, size: 13 })
    .text([254, lanes.handler], 'send(…)', { mono: true, size: 13 })
    .arrow([[334, lanes.handler - 16], [346, lanes.client + 16]])

  picture.arrow([[138, lanes.handler + 16], [138, lanes.first - 16]])
    .box([138, lanes.first - 16], [over - 138, 32], 'plain', 'waiting', { dashed: true, soft: true })
    .box([over, lanes.first - 16], [130, 32], 'blue', 'active')
    .text([over + 142, lanes.first], 'completed', { bold: true })

  picture.arrow([[208, lanes.handler + 16], [208, lanes.first - 16]], { plain: true })
    .arrow([[208, lanes.first + 16], [208, lanes.second - 16]])
    .box([208, lanes.second - 16], [over + 130 - 208, 32], 'plain', 'waiting, as tasks run in order', { dashed: true, soft: true })
    .box([over + 130, lanes.second - 16], [110, 32], 'red', 'active')
    .text([over + 252, lanes.second], 'failed', { bold: true })

  return picture.text([over + 8, lanes.log], 'request completed', { mono: true, size: 12 })
    .arrow([[over + 240, lanes.second + 16], [over + 240, lanes.log - 14]], { tone: 'red' })
    .text([over + 262, lanes.log], 'error: background task failed', { mono: true, size: 12, anchor: 'middle' })
    .text([over + 262, lanes.log + 20], 'with reqId, task and err', { size: 12, soft: true, anchor: 'middle' })
}
