import commonjs from '@rollup/plugin-commonjs'
import json from '@rollup/plugin-json'
import nodeResolve from '@rollup/plugin-node-resolve'
import { build } from 'esbuild'
import { basename, dirname } from 'node:path'
import { rollup } from 'rollup'
import webpack from 'webpack'

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
    const bundle = await rollup({ input, external, plugins: rollupPlugins, onLog () {} })
    // In one file, also what is loaded late.
    await bundle.write({ file: output, format, inlineDynamicImports: true })
    await bundle.close()
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
