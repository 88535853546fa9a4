import t from 'tap'
import { Watchers } from '../../lib/base/watchers.js'

t.test('who watches a task is told of its changes, until he ends it', async (t) => {
  const watchers = new Watchers()
  const told: string[] = []
  t.equal(watchers.empty, true)
  const endFirst = watchers.add('a', () => { told.push('first of a') })
  const endSecond = watchers.add('a', () => { told.push('second of a') })
  watchers.add('b', () => { told.push('b') })
  watchers.notify('a')
  watchers.notify('c')
  t.same(told.splice(0), ['first of a', 'second of a'])
  endFirst()
  t.same(watchers.ids, ['a', 'b'])
  for (const id of watchers.ids) watchers.notify(id)
  t.same(told.splice(0), ['second of a', 'b'])
  endSecond()
  watchers.notify('a')
  t.same(told, [])
  t.equal(watchers.empty, false)
})

t.test('a watcher that ends itself, or another, while all are told disturbs nobody', async (t) => {
  const watchers = new Watchers()
  const told: string[] = []
  const ends = ['a', 'b', 'c'].map((name) => watchers.add('id', () => {
    told.push(name)
    for (const end of ends) end()
  }))
  watchers.notify('id')
  t.same(told, ['a'])
  t.equal(watchers.empty, true)
})

t.test('to end twice does not end the watching of who came later', async (t) => {
  const watchers = new Watchers()
  const end = watchers.add('a', () => {})
  end()
  let told = 0
  watchers.add('a', () => { told++ })
  end()
  watchers.notify('a')
  t.equal(told, 1)
})

t.test('who watches all is told of every task, and may watch twice', async (t) => {
  const watchers = new Watchers()
  let told = 0
  const onChange = (): void => { told++ }
  const ends = [watchers.addToAll(onChange), watchers.addToAll(onChange)]
  t.equal(watchers.empty, false)
  watchers.notify('a')
  watchers.notifyAll()
  t.equal(told, 4)
  for (const end of ends) end()
  watchers.notify('a')
  t.equal(told, 4)
  t.equal(watchers.empty, true)
})
