import type { SharedTaskOptions, TaskDefinition } from '../../types/index.js'
import { describe, errors } from '../errors.js'
import { SHARED_RULES } from '../options/task-options.js'
import { type Rule, type Rules, checkOptions, func, isObject } from '../options/rules.js'
import { SCHEDULE_RULE } from './schedule-options.js'
import { taskFileUrl } from './task-file.js'

interface Implementation extends SharedTaskOptions {
  handler?: unknown
  file?: unknown
  around?: unknown
  schedule?: unknown
}

const schema: Rule = { must: 'a JSON schema object', check: isObject }

const IMPLEMENTATION_RULES: Rules<Implementation> = {
  handler: func,
  file: { must: 'a file: URL or an absolute path', check: (value) => taskFileUrl(value) !== undefined },
  around: func,
  schedule: SCHEDULE_RULE,
  ...SHARED_RULES
}

const DEFINITION_RULES: Rules<TaskDefinition> = {
  name: {
    required: true,
    must: 'a string of 1 to 200 characters without control characters',
    check: (value) => typeof value === 'string' && /^[^\p{Cc}\p{Cs}]{1,200}$/u.test(value)
  },
  payload: { ...schema, required: true },
  result: schema,
  ...IMPLEMENTATION_RULES
}

/** @throws FST_BGT_INVALID_OPTIONS when an option of `defineTask` is wrong, or both `handler` and `file` are given */
export function definitionOptions (definition: Implementation): void {
  checkOptions(definition, DEFINITION_RULES)
  // An option that is present but undefined is a mistake, such as a circular import.
  if ('handler' in definition || 'file' in definition) assertOne(definition)
}

/** @throws FST_BGT_INVALID_OPTIONS when an option of `implementTask` is wrong, or not one of `handler` and `file` is given */
export function implementationOptions (implementation: Implementation): void {
  checkOptions(implementation, IMPLEMENTATION_RULES)
  assertOne(implementation)
}

function assertOne ({ handler, file }: Implementation): void {
  if (handler !== undefined && file !== undefined) {
    throw new errors.FST_BGT_INVALID_OPTIONS(`option "file" must be left out where there is a "handler", received ${describe(file)}`)
  }
  if (handler === undefined && file === undefined) {
    throw new errors.FST_BGT_INVALID_OPTIONS('option "handler" must be a function, received undefined, and there is no "file" either')
  }
}
