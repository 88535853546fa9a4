import fc from 'fast-check'
import t from 'tap'
import { PriorityQueue, type Ranked } from '../../lib/base/priority-queue.js'

interface Item extends Ranked {
  readonly name: number
}

const toItems = (priorities: number[]): Item[] => priorities.map((priority, name) => ({ name, priority, at: -1, arrival: 0 }))

function takeAll (queue: PriorityQueue<Item>): number[] {
  const names: number[] = []
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) names.push(item.name)
  return names
}

t.test('the lowest priority leaves first, and those of the same in the order they came', async (t) => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 5 })), (priorities) => {
    const queue = new PriorityQueue<Item>()
    const items = toItems(priorities)
    for (const item of items) queue.push(item)
    const expected = [...items].sort((a, b) => a.priority - b.priority || a.name - b.name).map(({ name }) => name)
    return JSON.stringify(takeAll(queue)) === JSON.stringify(expected)
  }))
})

t.test('any item can be taken out, once', async (t) => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean())), (specs) => {
    const queue = new PriorityQueue<Item>()
    const items = toItems(specs.map(([priority]) => priority))
    for (const item of items) queue.push(item)
    const removed = items.filter((item, index) => specs[index]![1])
    for (const item of [...removed, ...removed]) queue.remove(item)
    const left = items.filter((item) => !removed.includes(item))
    if (queue.size !== left.length || [...queue].length !== left.length) return false
    const expected = left.sort((a, b) => a.priority - b.priority || a.name - b.name).map(({ name }) => name)
    return JSON.stringify(takeAll(queue)) === JSON.stringify(expected)
  }))
})

t.test('an item that was cleared away can be taken out in vain, and come again', async (t) => {
  const queue = new PriorityQueue<Item>()
  const items = toItems([1, 0])
  for (const item of items) queue.push(item)
  queue.clear()
  t.equal(queue.size, 0)
  for (const item of items) queue.remove(item)
  for (const item of items) queue.push(item)
  t.same(takeAll(queue), [1, 0])
})

t.test('items that come in falling order are compared no more often than a heap needs', async (t) => {
  let reads = 0
  const queue = new PriorityQueue<Item>()
  const count = 2000
  for (let index = 0; index < count; index++) {
    queue.push({ name: index, at: -1, arrival: 0, get priority () { reads++; return count - index } })
  }
  t.equal(takeAll(queue).length, count)
  t.ok(reads < count * 100, `${reads} reads of a priority`)
})
