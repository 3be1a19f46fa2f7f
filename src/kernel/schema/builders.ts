/**
 * TypeBox's builders, typed by TypeBox, without its run time: they make plain JSON Schema and nothing else is needed here. TypeBox itself
 * is 700 modules, which cost a quarter of the start-up.
 */
import type * as TypeBox from 'typebox'

type Options = Record<string, unknown>
type Schema = Record<string, unknown>

const optional = '~optional'

/** Marks a copy; the mark is not enumerable, so it is in no JSON and in no copy by spreading. */
function marked(schema: Schema): Schema {
  return Object.defineProperty({ ...schema }, optional, { value: true })
}

const isOptional = (schema: Schema) => Object.hasOwn(schema, optional)

const builders = {
  String: (options?: Options) => ({ type: 'string', ...options }),
  Number: (options?: Options) => ({ type: 'number', ...options }),
  Integer: (options?: Options) => ({ type: 'integer', ...options }),
  Boolean: (options?: Options) => ({ type: 'boolean', ...options }),
  Null: (options?: Options) => ({ type: 'null', ...options }),
  Unknown: (options?: Options) => ({ ...options }),
  Literal: (value: unknown, options?: Options) => ({ const: value, ...options }),
  Array: (items: Schema, options?: Options) => ({ type: 'array', items, ...options }),
  Union: (anyOf: Schema[], options?: Options) => ({ anyOf, ...options }),
  Intersect: (allOf: Schema[], options?: Options) => ({ allOf, ...options }),
  Optional: marked,
  Object(properties: Record<string, Schema>, options?: Options) {
    const required = Object.keys(properties).filter(name => !isOptional(properties[name]!))
    return { type: 'object', ...(required.length > 0 && { required }), properties, ...options }
  },
  /** Any member names, or those that match the key's pattern; all values of one schema. */
  Record(key: Schema, value: Schema, options?: Options) {
    return { type: 'object', patternProperties: { [String(key.pattern ?? '^.*$')]: value }, ...options }
  },
  Partial(schema: { properties: Record<string, Schema> }, options?: Options) {
    const entries = Object.entries(schema.properties).map(([name, field]) => [name, marked(field)])
    return builders.Object(Object.fromEntries(entries), { ...rest(schema), ...options })
  },
  Omit(schema: { properties: Record<string, Schema> }, names: string[], options?: Options) {
    const entries = Object.entries(schema.properties).filter(([name]) => !names.includes(name))
    return builders.Object(Object.fromEntries(entries), { ...rest(schema), ...options })
  },
  Pick(schema: { properties: Record<string, Schema> }, names: string[], options?: Options) {
    const entries = Object.entries(schema.properties).filter(([name]) => names.includes(name))
    return builders.Object(Object.fromEntries(entries), { ...rest(schema), ...options })
  },
  Unsafe: (schema: Schema) => ({ ...schema }),
}

/** The options of an object schema. */
function rest(schema: Schema): Options {
  const { type: _type, required: _required, properties: _properties, ...options } = schema
  return options
}

export const Type = builders as unknown as Pick<typeof TypeBox.Type, keyof typeof builders>
export type { Static, TArray, TObject, TOptional, TProperties, TSchema } from 'typebox'
