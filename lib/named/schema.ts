import { copyJson, parseKeepable } from '../base/json.js'
import { loadAjv, loadFormats, loadSerializer } from '../base/modules.cjs'
import { errors, messageOf } from '../errors.js'

/** Throws what is wrong with a schema as an error of the option that it was given in. */
function compile<Compiled> (option: string, build: () => Compiled): Compiled {
  try {
    return build()
  } catch (cause) {
    throw new errors.FST_BGT_INVALID_OPTIONS(`option "${option}" is not a valid JSON schema: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Makes the function that copies a payload as JSON, fills in defaults and validates the copy.
 * @throws FST_BGT_INVALID_OPTIONS when the schema does not compile
 */
export function compilePayload (schema: object): (payload: unknown) => unknown {
  // As Fastify itself, except that nothing is coerced and nothing removed. One for each schema, whose $id is its own.
  const { Ajv } = loadAjv()
  const ajv = new Ajv({ useDefaults: true })
  loadFormats().default(ajv)
  const validate = compile('payload', () => {
    const compiled = ajv.compile(schema)
    if ('$async' in compiled) throw new Error('it validates asynchronously')
    return compiled
  })
  return (payload) => {
    const copy = copyJson(payload, 'payload')
    if (!validate(copy)) {
      throw new errors.FST_BGT_INVALID_PAYLOAD(ajv.errorsText(validate.errors, { dataVar: 'payload' }))
    }
    return copy
  }
}

/**
 * Makes the function that turns a result into the JSON value that its schema declares, as Fastify serializes replies:
 * what the schema does not name stays inside. Text that a store cannot keep is replaced.
 * @throws FST_BGT_INVALID_OPTIONS when the schema does not compile
 */
export function compileResult (schema: object): (result: unknown) => unknown {
  const serializer = loadSerializer()
  const stringify = compile('result', () => serializer(schema as Parameters<typeof serializer>[0]))
  return (result) => {
    const json = stringify(result)
    // Not JSON, but what comes of nothing where the schema allows everything.
    return json === 'undefined' ? undefined : parseKeepable(json, 'result')
  }
}
