import t from 'tap'
import { Fifo } from '../../lib/base/fifo.js'

t.test('items leave in the order they came, however pushes and shifts alternate', async (t) => {
  const fifo = new Fifo<number>()
  const left: Array<number | undefined> = []
  let next = 0
  for (const [pushes, shifts] of [[3, 2], [5, 1], [40, 20], [0, 25], [7, 7]] as const) {
    for (let count = 0; count < pushes; count++) fifo.push(next++)
    for (let count = 0; count < shifts; count++) left.push(fifo.shift())
  }
  t.same(left, Array.from({ length: 55 }, (_, index) => index))
  t.equal(fifo.empty, true)
})

t.test('an empty one gives undefined, and says that it is empty', async (t) => {
  const fifo = new Fifo<number>()
  t.equal(fifo.empty, true)
  t.equal(fifo.shift(), undefined)
  fifo.push(1)
  t.equal(fifo.empty, false)
  t.equal(fifo.shift(), 1)
  t.equal(fifo.shift(), undefined)
})

t.test('after a burst it starts anew', async (t) => {
  const fifo = new Fifo<number>()
  for (let burst = 0; burst < 2; burst++) {
    for (let index = 0; index < 3000; index++) fifo.push(index)
    for (let index = 0; index < 3000; index++) if (fifo.shift() !== index) t.fail(`item ${index} did not leave in its turn`)
    t.equal(fifo.empty, true)
  }
})

t.test('toArray gives the items in order, wherever the first one stands in the ring', async (t) => {
  const fifo = new Fifo<number>()
  t.same(fifo.toArray(), [])
  for (let item = 0; item < 10; item++) {
    fifo.push(item)
    if (item > 2) fifo.shift()
  }
  t.same(fifo.toArray(), [7, 8, 9])
  for (let item = 10; item < 16; item++) fifo.push(item)
  t.same(fifo.toArray(), [7, 8, 9, 10, 11, 12, 13, 14, 15])
  t.equal(fifo.size, 9)
})
