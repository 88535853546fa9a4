// Loads modules late. This file is CommonJS in both builds, so that a function can require() a module at once. Bundlers follow
// such a require(). Both builds contain the output of the ECMAScript build. The compiler of the CommonJS build would turn import()
// into require(). A bundler refuses a require() of a package that is not installed.

import { createRequire } from 'node:module'

/** The validator of payloads. A `defineTask` loads this module and the next two, which are most of what the plugin loads. */
export function loadAjv (): typeof import('ajv') {
  return load('ajv', () => require('ajv'))
}

export function loadFormats (): typeof import('ajv-formats') {
  return load('ajv-formats', () => require('ajv-formats'))
}

export function loadSerializer (): typeof import('fast-json-stringify') {
  return load('fast-json-stringify', () => require('fast-json-stringify'))
}

/** Loads a module. Bundlers follow a literal name in `require()`. An ECMAScript bundle has no `__filename`. */
function load<Module> (name: string, requireIt: () => Module): Module {
  // On Node.js 20, a file that a loader such as tsx has compiled has a `require` that cannot load JSON.
  // The line is not covered, because tests run compiled files. The examples run the source.
  /* c8 ignore next */
  if (typeof __filename === 'string' && __filename.endsWith('.cts')) return createRequire(__filename)(name)
  return requireIt()
}

/** Loads piscina. Bundlers take an import inside `try` as optional, but not one with `catch()`. */
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

/** Loads OpenTelemetry. Undefined when the package is not installed. */
export async function loadOpenTelemetry (): Promise<typeof import('@opentelemetry/api') | undefined> {
  try {
    return await import('@opentelemetry/api')
  } catch {
    return undefined
  }
}
