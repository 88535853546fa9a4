import { withoutRegisterOptions } from './register-options.js'
import { type Rule, checkOptions } from './rules.js'

const isFunction = (value: unknown): boolean => typeof value === 'function'
const flagOrFunction: Rule = { must: 'true, false or a function', check: (value) => typeof value === 'boolean' || isFunction(value) }

const RULES = {
  onRequest: {
    must: 'a hook or an array of hooks that let nobody in who may not see the tasks. Give [] where something around the dashboard does so',
    check: (value: unknown) => [value].flat().every(isFunction),
    required: true
  },
  actions: flagOrFunction,
  payload: flagOrFunction
}

/** @throws FST_BGT_INVALID_OPTIONS when an option of `dashboard` is wrong, or `onRequest` is missing */
export function dashboardOptions (options: object): void {
  checkOptions(withoutRegisterOptions(options), RULES)
}
