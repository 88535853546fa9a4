// Bundles the page into dist/dashboard/, or into the folder that the command line names. `npm run build:page` runs it.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { constants, gzipSync } from 'node:zlib'
import { buildSync } from 'esbuild'

const folder = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Browsers of 2024, which know light-dark(). */
const target = ['chrome123', 'firefox124', 'safari17.5']

function bundle (entry) {
  const { outputFiles: [file] } = buildSync({
    absWorkingDir: root,
    entryPoints: [join(folder, entry)],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target,
    define: { 'process.env.NODE_ENV': '"production"' },
    legalComments: 'none',
    logLevel: 'warning'
  })
  return Buffer.from(file.contents)
}

/** Writes the asset under a name that changes with its content, and its gzip. */
function writeAsset (outdir, entry, extension) {
  const content = bundle(entry)
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 12)
  const name = `${entry.split('.')[0]}-${hash}.${extension}`
  writeFileSync(join(outdir, name), content)
  writeFileSync(join(outdir, `${name}.gz`), gzipSync(content, { level: constants.Z_BEST_COMPRESSION }))
  return name
}

/** The page refers to its assets by query alone, so that its URL may end with a slash or not. */
export function buildPage (outdir) {
  rmSync(outdir, { recursive: true, force: true })
  mkdirSync(outdir, { recursive: true })
  const script = writeAsset(outdir, 'app.tsx', 'js')
  const style = writeAsset(outdir, 'style.css', 'css')
  const html = readFileSync(join(folder, 'index.html'), 'utf8')
  writeFileSync(join(outdir, 'index.html'), html.replace('app.tsx', `?asset=${script}`).replace('style.css', `?asset=${style}`))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) buildPage(resolve(process.argv[2] ?? join(root, 'dist/dashboard')))
