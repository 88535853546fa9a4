import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'

/** A TypeScript file is imported by the name that it has once it is compiled. */
export async function resolve (specifier, context, next) {
  const isOurs = /^(\.|file:).*js$/.test(specifier) && context.parentURL?.includes('/node_modules/') === false
  if (!isOurs) return next(specifier, context)
  return await next(specifier.replace(/js$/, 'ts'), context).catch(() => next(specifier, context))
}

export async function load (url, context, next) {
  const type = /^file:(?!.*\/node_modules\/).*\.([cm]?)ts$/.exec(url)?.[1]
  if (type === undefined) return next(url, context)
  const sourcefile = fileURLToPath(url)
  const { code } = await transform(await readFile(sourcefile, 'utf8'), {
    loader: 'ts', sourcefile, sourcemap: 'inline', target: `node${process.versions.node}`, format: type === 'c' ? 'cjs' : 'esm', platform: 'node'
  })
  return { format: type === 'c' ? 'commonjs' : 'module', source: code, shortCircuit: true }
}
