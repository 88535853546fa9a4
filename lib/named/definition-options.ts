import type { TaskDefinition } from '../../types/index.js'
import { describe, errors } from '../errors.js'
import { SHARED_RULES } from '../options/task-options.js'
import { type Rule, type Rules, checkOptions, func, isObject } from '../options/rules.js'
import { SCHEDULE_RULE } from './schedule-options.js'
import { taskFileUrl } from './task-file.js'

const schema: Rule = { must: 'a JSON schema object', check: isObject }

const DEFINITION_RULES: Rules<TaskDefinition> = {
  name: {
    required: true,
    must: 'a string of 1 to 200 characters without control characters',
    check: (value) => typeof value === 'string' && /^[^\p{Cc}\p{Cs}]{1,200}$/u.test(value)
  },
  payload: { ...schema, required: true },
  result: schema,
  schedule: SCHEDULE_RULE,
  handler: func,
  file: { must: 'a file: URL or an absolute path', check: (value) => taskFileUrl(value) !== undefined },
  ...SHARED_RULES
}

/** @throws FST_BGT_INVALID_OPTIONS when an option of `defineTask` is wrong, or it has not exactly one of `handler` and `file` */
export function definitionOptions (definition: TaskDefinition): void {
  checkOptions(definition, DEFINITION_RULES)
  const { handler, file } = definition
  if (handler !== undefined && file !== undefined) {
    throw new errors.FST_BGT_INVALID_OPTIONS(`option "file" must be left out where there is a "handler", received ${describe(file)}`)
  }
  if (handler === undefined && file === undefined) {
    throw new errors.FST_BGT_INVALID_OPTIONS('option "handler" must be a function, received undefined, and there is no "file" either')
  }
}
