import { copyJson, parseKeepable } from '../base/json.js'
import { loadAjv, loadFormats, loadSerializer } from '../base/modules.cjs'
import { errors, messageOf } from '../errors.js'

/** Compiles a schema. An error of the compiler becomes the cause of FST_BGT_INVALID_OPTIONS. */
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
  // The options are those of Fastify, but nothing is coerced or removed. Each schema has an Ajv of its own, so an $id may repeat.
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
 * Makes the function that turns a result into the JSON value that its schema declares. As in replies of Fastify, properties
 * that the schema does not name are left out. U+FFFD takes the place of text that a store cannot keep.
 * @throws FST_BGT_INVALID_OPTIONS when the schema does not compile
 */
export function compileResult (schema: object): (result: unknown) => unknown {
  const serializer = loadSerializer()
  const stringify = compile('result', () => serializer(schema as Parameters<typeof serializer>[0]))
  return (result) => {
    const json = stringify(result)
    // The serializer writes this for an undefined result under a schema that allows everything. It is not JSON.
    return json === 'undefined' ? undefined : parseKeepable(json, 'result')
  }
}
