import t from 'tap'
import { copyJson, copyKeepable } from '../../lib/base/json.js'

class Point {
  readonly x = 1
  readonly #y = 2

  get y (): number {
    return this.#y
  }
}

/** Lists and objects in each other, so many levels of them. */
function nest (levels: number): unknown {
  let nested: unknown = 'deep'
  for (let level = 0; level < levels; level++) nested = level % 2 === 0 ? [nested] : { nested }
  return nested
}

const shared = { a: 1 }
const values: Record<string, unknown> = {
  'a string': 'text',
  'a number': 1.5,
  'minus zero': -0,
  'minus zero inside': { a: [-0] },
  null: null,
  'a boolean': false,
  'a plain object': { a: 1, b: 'x', c: true, d: null, e: [1, { f: 2 }] },
  'an object without prototype': Object.assign(Object.create(null), { a: 1 }),
  'keys that are integers': { b: 1, 2: 2, a: 3, 1: 4 },
  'an own __proto__': JSON.parse('{"a":{"__proto__":{"admin":true}}}'),
  'undefined in an object': { a: undefined, b: 1 },
  'undefined in an array': [undefined, 1],
  'a hole': [, 1], // eslint-disable-line no-sparse-arrays
  'a function in an object': { a () {}, b: 1 },
  'a function in an array': [() => {}],
  'a symbol as value': { a: Symbol('a'), b: 1 },
  'a symbol as key': { [Symbol('a')]: 1, b: 2 },
  'NaN and Infinity': [NaN, { a: Infinity }],
  'a date': { at: new Date(0) },
  'a toJSON': { a: { toJSON: () => ({ b: 1 }) } },
  'an array with a toJSON': [Object.assign([1], { toJSON: () => 'list' })],
  'an instance': new Point(),
  'a boxed number': { a: Object(1) },
  'a map': { a: new Map([[1, 2]]) },
  'a buffer': { a: Buffer.from('x') },
  'a typed array': { a: new Uint8Array(2) },
  'a getter': { get a () { return 1 } },
  'a key that is not enumerable': Object.defineProperty({ b: 1 }, 'a', { value: 1 }),
  'the same object twice': [shared, shared],
  'a deep value': nest(20),
  'a value of 1000 levels': nest(1000),
  'text that looks like an escape': ['\\u0000', { '\\ud800': '\\\\u0000' }, new Date(0)],
  'pairs of surrogates': { '😀': 'smile 😀😀' }
}

for (const [title, value] of Object.entries(values)) {
  t.test(`${title} is copied as JSON would`, async (t) => {
    const copy = copyJson(value, 'payload')
    const expected = JSON.parse(JSON.stringify(value))
    t.strictSame(copy, expected)
    t.equal(JSON.stringify(copy), JSON.stringify(expected), 'in the same order')
    t.equal(Object.is(copy, -0), false)
    if (typeof value === 'object' && value !== null) {
      t.not(copy, value)
      t.equal(Object.getPrototypeOf(copy), Array.isArray(value) ? Array.prototype : Object.prototype)
    }
  })
}

t.test('a shared part is copied each time', async (t) => {
  const [first, second] = copyJson([shared, shared], 'payload') as object[]
  t.not(first, second)
  t.not(first, shared)
})

const circular: { self?: unknown } = {}
circular.self = circular

for (const [title, value, message] of [
  ['undefined', undefined, 'payload must be JSON, received undefined'],
  ['a function', () => {}, /^payload must be JSON, received function/],
  ['NaN', NaN, 'payload must be JSON, received NaN'],
  ['a circle', circular, /^payload must be JSON: Converting circular structure/],
  ['a BigInt', { a: 1n }, /^payload must be JSON: .*BigInt/],
  ['a getter that throws', { get a () { throw new Error('no luck') } }, 'payload must be JSON: no luck']
] as const) {
  t.test(`${title} is refused`, async (t) => {
    t.throws(() => copyJson(value, 'payload'), { code: 'FST_BGT_INVALID_PAYLOAD', message })
  })
}

const TEXT_RULE = 'must hold neither U+0000 nor half a surrogate pair, received'

for (const [title, value, message] of [
  ['U+0000', 'a\0b', `payload ${TEXT_RULE} "a\\u0000b"`],
  ['half a surrogate pair in a list', { a: ['ok', '\ud83d'] }, `payload/a/1 ${TEXT_RULE} "\\ud83d"`],
  ['the other half behind a date', [new Date(0), { b: '\ude00!' }], `payload/1/b ${TEXT_RULE} "\\ude00!"`],
  ['a key with U+0000', { a: { '\0': 1 } }, `payload/a ${TEXT_RULE} "\\u0000"`],
  ['a key with half a surrogate pair', { '\ud800': { a: 1 } }, `payload ${TEXT_RULE} "\\ud800"`]
] as const) {
  t.test(`text that a store cannot keep is refused, and named by its path: ${title}`, async (t) => {
    t.throws(() => copyJson(value, 'payload'), { code: 'FST_BGT_INVALID_PAYLOAD', message })
  })
}

for (const levels of [1001, 20_000]) {
  t.test(`a value of ${levels} levels is refused`, async (t) => {
    for (const copy of [copyJson, copyKeepable]) {
      t.throws(() => copy(nest(levels), 'payload'), {
        code: 'FST_BGT_INVALID_PAYLOAD', message: /^payload must be (at most 1000 levels deep, received more|JSON: Maximum call stack size exceeded)$/
      })
    }
  })
}

t.test('text that a store cannot keep is replaced where that is asked for', async (t) => {
  for (const [value, expected] of [
    ['plain', 'plain'],
    ['a\0b\0\0', 'a\ufffdb\ufffd\ufffd'],
    ['\ud83d\ude00 \ud83d', '😀 \ufffd'],
    [{ '\0': ['\ude00', { a: '\\\0\\u0000' }] }, { '\ufffd': ['\ufffd', { a: '\\\ufffd\\u0000' }] }],
    [[new Date(0), '\0'], ['1970-01-01T00:00:00.000Z', '\ufffd']]
  ]) t.strictSame(copyKeepable(value, 'progress'), expected)
})

t.test('a key that objects inherit, and that cannot be assigned to, is copied', async (t) => {
  // As all of them where Object.prototype is frozen.
  Object.defineProperty(Object.prototype, 'fixed', { value: 1, writable: false, configurable: true }) // eslint-disable-line no-extend-native
  t.teardown(() => { delete (Object.prototype as { fixed?: unknown }).fixed })
  t.equal(JSON.stringify(copyJson({ a: { fixed: 'own' } }, 'payload')), '{"a":{"fixed":"own"}}')
})
