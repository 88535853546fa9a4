import { isKeepable } from '../base/text.js'
import { describe, errors } from '../errors.js'

/** The longest delay of a Node.js timer, in milliseconds. */
export const MAX_DELAY_MS = 2 ** 31 - 1

/** A rule for the value of an option, in words and as a check. */
export interface Rule {
  readonly must: string
  readonly check: (value: any) => boolean
  readonly required?: boolean
  /** The rules for the properties of a value that is an object. */
  readonly fields?: Readonly<Record<string, Rule>>
}

/** A rule for every option of `T`. An option without a rule is unknown. */
export type Rules<T> = { readonly [Key in keyof Required<T>]: Rule }

export function integer (min: number, max = Number.MAX_SAFE_INTEGER): Rule {
  return {
    must: max === Number.MAX_SAFE_INTEGER ? `an integer >= ${min}` : `an integer from ${min} to ${max}`,
    check: (value) => Number.isInteger(value) && value >= min && value <= max
  }
}

export function number (min: number, max = Number.MAX_VALUE): Rule {
  return {
    must: max === Number.MAX_VALUE ? `a number >= ${min}` : `a number from ${min} to ${max}`,
    check: (value) => typeof value === 'number' && value >= min && value <= max
  }
}

export function oneOf (...values: string[]): Rule {
  return { must: `one of ${values.map((value) => `'${value}'`).join(', ')}`, check: (value) => values.includes(value) }
}

export const boolean: Rule = { must: 'true or false', check: (value) => typeof value === 'boolean' }
export const func: Rule = { must: 'a function', check: (value) => typeof value === 'function' }
export const text: Rule = { must: 'a non-empty string', check: (value) => typeof value === 'string' && value !== '' }

export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether the value was written as `{ … }`. A Date, a Map or an instance of a class must not pass as empty options. */
export function isPlainObject (value: unknown): value is object {
  if (!isObject(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** @throws FST_BGT_INVALID_OPTIONS when a store cannot keep the text of the option */
export function assertKeepable (key: string, text: string): void {
  if (isKeepable(text)) return
  throw new errors.FST_BGT_INVALID_OPTIONS(`option "${key}" must hold neither U+0000 nor half a surrogate pair, received ${describe(text)}`)
}

/**
 * Checks that every option has a rule and keeps the rule. An undefined option counts as absent. In messages, `where` stands in
 * front of the names.
 * @throws FST_BGT_INVALID_OPTIONS naming the first wrong option and its value
 */
export function checkOptions (options: unknown, rules: Readonly<Record<string, Rule>>, where = ''): void {
  if (!isObject(options)) {
    throw new errors.FST_BGT_INVALID_OPTIONS(`${where || 'options'} must be an object, received ${describe(options)}`)
  }
  const path = where === '' ? '' : `${where}.`
  const given = options as Record<string, unknown>
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(rules, key)) {
      throw new errors.FST_BGT_INVALID_OPTIONS(`unknown option "${path}${key}", received ${describe(given[key])}`)
    }
  }
  for (const [key, rule] of Object.entries(rules)) {
    const value = given[key]
    if (value === undefined && rule.required !== true) continue
    if (!rule.check(value)) {
      throw new errors.FST_BGT_INVALID_OPTIONS(`option "${path}${key}" must be ${rule.must}, received ${describe(value)}`)
    }
    if (rule.fields !== undefined && isObject(value)) checkOptions(value, rule.fields, `${path}${key}`)
  }
}
