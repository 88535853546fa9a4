import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { P99_MS } from '../../docs/images/bursts.js'
import { Picture } from '../../docs/images/draw.js'
import { pictures } from '../../docs/images/pictures.js'

const folder = join(process.cwd(), 'docs/images')

t.test('the pictures in the repository are what `npm run pictures` draws, and no others', async (t) => {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.svg'))
  t.same(files.sort(), [...pictures.keys()].map((name) => `${name}.svg`).sort())
  for (const [name, draw] of pictures) t.equal(await readFile(join(folder, `${name}.svg`), 'utf8'), String(draw()), name)
})

for (const [name, draw] of pictures) {
  t.test(`in ${name}.svg no word overlaps another one, a line or an edge`, async (t) => {
    t.same(draw().problems(), [])
  })

  t.test(`${name}.svg has a title, a description, and colours for a dark page`, async (t) => {
    const text = String(draw())
    t.match(text, /<title id="title">[^<]+<\/title>\n<desc id="description">[^<]+<\/desc>/)
    t.match(text, '@media (prefers-color-scheme:dark)')
  })
}

const blank = (): Picture => new Picture(200, 100, 'a picture', 'of nothing')

for (const [what, picture, problem] of [
  ['two words in one place', blank().text([20, 50], 'one').text([24, 54], 'two'), '"one" overlaps two'],
  ['a word that leaves the picture', blank().text([180, 50], 'somewhere'), '"somewhere" leaves the picture'],
  ['a word on the edge of a box', blank().box([20, 20], [60, 40], 'blue').text([70, 40], 'half'), '"half" overlaps a box'],
  ['a word that is too wide for its box', blank().box([20, 20], [30, 40], 'blue', 'wide words'), '"wide words" is wider than its box'],
  ['a word on a line', blank().text([20, 50], 'crossed').arrow([[10, 50], [100, 50]]), '"crossed" overlaps a line']
] as const) {
  t.test(`${what} is a problem`, async (t) => {
    t.match(picture.problems(), [problem])
  })
}

t.test('words in a box, beside a line and apart are no problem', async (t) => {
  const picture = blank().box([10, 10], [100, 40], 'blue', ['two', 'lines']).arrow([[10, 80], [100, 80]]).text([12, 66], 'above it')
  t.same(picture.problems(), [])
})

t.test('what is special in XML is escaped', async (t) => {
  t.match(String(blank().text([20, 20], 'a < b & "c"')), 'a &lt; b &amp; &quot;c&quot;')
})

t.test('the chart has the figures of the text below its table', async (t) => {
  const page = await readFile(join(process.cwd(), 'docs/benchmarks.md'), 'utf8')
  for (const [, ms] of P99_MS) t.match(page, new RegExp(`\\b${ms} ms\\b`))
})
