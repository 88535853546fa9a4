/** A JSON schema. One of TypeBox (`@sinclair/typebox` or `typebox`) types its value. The value of any other has the type any. */
export type Schema = object

/**
 * The type of the value that a schema describes, or any for a schema that is not of TypeBox. The schemas are recognised by their
 * shape. TypeBox need not be installed, and its ECMAScript and CommonJS builds give the same types.
 */
export type ValueOf<S> =
  S extends { static: unknown, params: unknown[] } ? (S & { params: [] })['static'] : ValueOfTypeBox1<S>

/** The `Static` of TypeBox 1, for the types of JSON. References, template literals and codecs have the type any. */
type ValueOfTypeBox1<S> =
  S extends { '~unsafe': infer V } ? V
    : S extends { '~codec': unknown } ? any
      : S extends { '~kind': 'Object', properties: infer P } ? ObjectOf<P>
        : S extends { '~kind': 'Array', items: infer I } ? ValueOfTypeBox1<I>[]
          : S extends { '~kind': 'Tuple', items: infer I } ? EachOf<I>
            : S extends { '~kind': 'Union', anyOf: infer U extends unknown[] } ? EachOf<U>[number]
              : S extends { '~kind': 'Intersect', allOf: infer U } ? AllOf<U>
                : S extends { '~kind': 'Record', patternProperties: infer P } ? Record<string, ValueOfTypeBox1<P[keyof P]>>
                  : S extends { '~kind': 'Literal', const: infer V } ? V
                    : S extends { '~kind': 'Enum', enum: infer V extends unknown[] } ? V[number]
                      : S extends { '~kind': infer K extends keyof Scalars } ? Scalars[K]
                        : any

interface Scalars { String: string, Number: number, Integer: number, Boolean: boolean, Null: null, Unknown: unknown, Never: never }

type EachOf<Items> = { -readonly [K in keyof Items]: ValueOfTypeBox1<Items[K]> }

type AllOf<Types> = Types extends [infer T, ...infer Others] ? ValueOfTypeBox1<T> & AllOf<Others> : unknown

type ObjectOf<P> = keyof P extends never ? object : (
  & { -readonly [K in keyof P as P[K] extends { '~optional': true } ? never : K]: ValueOfTypeBox1<P[K]> }
  & { -readonly [K in keyof P as P[K] extends { '~optional': true } ? K : never]?: ValueOfTypeBox1<P[K]> }
) extends infer O ? { [K in keyof O]: O[K] } : never
