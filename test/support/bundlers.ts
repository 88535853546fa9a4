import commonjs from '@rollup/plugin-commonjs'
import json from '@rollup/plugin-json'
import nodeResolve from '@rollup/plugin-node-resolve'
import { build } from 'esbuild'
import { basename, dirname } from 'node:path'
import { type RollupBuild, type RollupCache, rollup } from 'rollup'
import webpack from 'webpack'
import { installed } from './compiler.js'

/** What to bundle, and how. */
export interface BundleJob {
  input: string
  output: string
  format: 'esm' | 'cjs'
  /** Packages that are left out. */
  external: string[]
}

// Their declarations are those of CommonJS, which has the function as a property.
const rollupPlugins = [
  (nodeResolve as unknown as typeof nodeResolve.default)({ preferBuiltins: true }),
  (commonjs as unknown as typeof commonjs.default)(),
  (json as unknown as typeof json.default)()
]

let lastRollup: { job: string, build: RollupBuild } | undefined

/** What need not be parsed again in other projects: modules of other packages, which find the same modules in each. */
function foreignOf ({ cache }: RollupBuild): RollupCache {
  return { modules: cache?.modules.filter(({ id }) => id.includes(installed)) ?? [] }
}

type Bundle = (job: BundleJob) => Promise<unknown>

/** Each rejects where the bundler finds an error, and resolves where it has no more than warnings. */
export const bundlers: Record<'esbuild' | 'rollup' | 'webpack', Bundle> = {
  async esbuild ({ input, output, format, external }) {
    // What esbuild advises where a CommonJS package, such as Fastify, requires modules of Node.
    const js = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
    await build({
      entryPoints: [input], outfile: output, bundle: true, platform: 'node', format, external, logLevel: 'silent', banner: format === 'esm' ? { js } : {}
    })
  },

  async rollup ({ input, output, format, external }) {
    const job = [input, ...external].join()
    // The formats of one input are made one after the other, and share what does not depend on them.
    if (job !== lastRollup?.job) {
      await lastRollup?.build.close()
      const build = await rollup({ input, external, plugins: rollupPlugins, onLog () {}, ...(lastRollup && { cache: foreignOf(lastRollup.build) }) })
      lastRollup = { job, build }
    }
    // In one file, also what is loaded late.
    await lastRollup.build.write({ file: output, format, inlineDynamicImports: true })
  },

  async webpack ({ input, output, format, external }) {
    const type = format === 'esm' ? 'module' : 'commonjs2'
    const compiler = webpack({
      mode: 'none',
      target: 'node20',
      entry: input,
      externals: external.map((name) => ({ [name]: `${type} ${name}` })),
      experiments: { outputModule: format === 'esm' },
      output: { path: dirname(output), filename: basename(output), library: { type } }
    })
    const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) => {
      compiler.run((error, stats) => { error === null ? resolve(stats) : reject(error) })
    })
    if (stats?.hasErrors() !== false) throw new Error(stats?.toString({ all: false, errors: true }))
  }
}
