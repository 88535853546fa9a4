import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
// @ts-expect-error it is JavaScript, for npm runs it as it is
import { buildPage } from '../../lib/dashboard/page/build.js'

const MAX_SCRIPT_BYTES = 25 * 1024

function build (t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'page-build-test-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  buildPage(folder)
  return folder
}

t.test('the page is one document, one script and one style, whose names change with their content', async (t) => {
  const folder = build(t)
  const html = readFileSync(join(folder, 'index.html'), 'utf8')
  const names = readdirSync(folder).sort()
  t.match(names, [/^app-[0-9a-f]{12}\.js$/, /^app-[0-9a-f]{12}\.js\.gz$/, 'index.html', /^style-[0-9a-f]{12}\.css$/, /^style-[0-9a-f]{12}\.css\.gz$/])
  t.same([...html.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)].map(([, url]) => url).sort(), [`?asset=${names[0]}`, `?asset=${names[3]}`])
  t.notMatch(html, /style=|<style|<script(?! type="module" src)| on\w+=/, 'nothing inline, which the policy forbids')
  t.same(readdirSync(build(t)).sort(), names, 'the same content has the same names')
  for (const name of [names[0], names[3]]) t.same(gunzipSync(readFileSync(join(folder, `${name}.gz`))), readFileSync(join(folder, name ?? '')))
})

t.test(`the script has at most ${MAX_SCRIPT_BYTES} bytes when it is compressed, and makes no markup of text`, async (t) => {
  const folder = build(t)
  const [script = ''] = readdirSync(folder)
  t.ok(readFileSync(join(folder, `${script}.gz`)).length <= MAX_SCRIPT_BYTES)
  const pages = readdirSync(join(process.cwd(), 'lib/dashboard/page'))
  const sources = pages.map((name) => readFileSync(join(process.cwd(), 'lib/dashboard/page', name), 'utf8')).join('\n')
  t.notMatch(sources, /dangerouslySetInnerHTML|innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/)
})
