// Modules that are loaded late. This file is CommonJS in both builds, because only CommonJS loads a module at once in the
// middle of a function, by a require() that bundlers follow. Both builds have the file of the ECMAScript build: the compiler
// of the other makes a require() of import(), and a bundler refuses that for a package that is not installed.

import { createRequire } from 'node:module'

/** Validates payloads. Loaded with the first task that has a schema, as are the next two: they are most of what the plugin loads. */
export function loadAjv (): typeof import('ajv') {
  return load('ajv', () => require('ajv'))
}

export function loadFormats (): typeof import('ajv-formats') {
  return load('ajv-formats', () => require('ajv-formats'))
}

export function loadSerializer (): typeof import('fast-json-stringify') {
  return load('fast-json-stringify', () => require('fast-json-stringify'))
}

/** Bundlers follow a name that stands in `require()`, and leave no `__filename` in an ECMAScript module. */
function load<Module> (name: string, requireIt: () => Module): Module {
  // On Node 20 the `require` of a file that a loader has compiled, as tsx does with this source, cannot load JSON.
  // Not covered, because tests run compiled files: the examples run the source.
  /* c8 ignore next */
  if (typeof __filename === 'string' && __filename.endsWith('.cts')) return createRequire(__filename)(name)
  return requireIt()
}

/** `try` and not `catch()`: bundlers take what stands in it for optional. */
export async function loadPiscina (onMissing: (cause: unknown) => never): Promise<Pick<typeof import('piscina'), 'Piscina'>> {
  try {
    return await import('piscina')
  } catch (cause) {
    return onMissing(cause)
  }
}

/** The part of croner that is used. */
type CronClass = new (pattern: string, options: { timezone: string }) => { nextRun (after: Date): Date | null }

/** As `loadPiscina`. */
export async function loadCroner (onMissing: (cause: unknown) => never): Promise<{ Cron: CronClass }> {
  try {
    return await import('croner')
  } catch (cause) {
    return onMissing(cause)
  }
}

/** Undefined where the app has none. */
export async function loadOpenTelemetry (): Promise<typeof import('@opentelemetry/api') | undefined> {
  try {
    return await import('@opentelemetry/api')
  } catch {
    return undefined
  }
}
