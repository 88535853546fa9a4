import t from 'tap'
import { Paced, eachAsTurnsAllow, whenTurnAllows } from '../../lib/base/turn-budget.js'
import { block, countPerTurn } from '../support/per-turn.js'
import { nextTurn } from '../support/turns.js'

/**
 * Work that used up its turn is looked at once more in the next turn, and that turn ends in the one after. A count that
 * starts before then sees each turn begin after the work of the turn, and takes two turns for one.
 */
async function untilPacedRests (): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await nextTurn()
}

t.test('what fits in a turn is done at once', async (t) => {
  const seen: number[] = []
  whenTurnAllows(() => { seen.push(1) })
  t.same(seen, [1])
  await nextTurn()
})

t.test('pieces that take long are done one a turn, in order, whoever asks for them', async (t) => {
  await untilPacedRests()
  const count = countPerTurn()
  const seen: string[] = []
  const piece = (name: string) => (): void => {
    seen.push(name)
    count.ran()
    block(1)
  }
  whenTurnAllows(piece('a'))
  whenTurnAllows(piece('b'))
  const end = eachAsTurnsAllow(['c', 'd'], (name) => { piece(name)() })
  t.same(seen, ['a'])
  whenTurnAllows(piece('e'))
  await end
  t.same(seen.slice(0, 4), ['a', 'b', 'c', 'd'])
  while (seen.length < 5) await nextTurn()
  count.stop()
  t.equal(count.most(), 1)
})

t.test('nothing is left behind when there is no work any more', async (t) => {
  let asked = 0
  const paced = new Paced(() => {
    asked++
    return false
  })
  paced.run()
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  t.equal(asked, 1)
})

t.test('work that was left is looked at once more in the next turn', async (t) => {
  let pieces = 1
  let asked = 0
  const paced = new Paced(() => {
    asked++
    block(1)
    return --pieces > 0
  })
  pieces = 2
  paced.run()
  t.equal(asked, 1)
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  t.equal(asked, 2)
})
