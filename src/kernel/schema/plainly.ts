/** A look at a value without Ajv: loading it, and compiling a schema for each attribute and setting, is a third of the time in which a cloud is ready. */
import { formats } from './validate.ts'

type Members = Record<string, object>

const always = () => true
const typeOf = (value: unknown) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)
const isText = (value: unknown): value is string => typeof value === 'string'
const isObject = (value: unknown): value is Record<string, unknown> => typeOf(value) === 'object'

/** What keywords ask for. Each may say no to what is right, never yes to what is wrong. */
const plainly: Record<string, (value: unknown, asked: never, schema: { properties?: Members }) => boolean> = {
  ...{ description: always, default: always, secret: always },
  type: (value, asked: string | string[]) =>
    [asked].flat().some(type => type === typeOf(value) || (type === 'integer' && Number.isInteger(value))),
  const: (value, asked: unknown) => value === asked,
  enum: (value, asked: unknown[]) => asked.includes(value),
  anyOf: (value, asked: object[]) => asked.some(one => fitsPlainly(one, value)),
  // A character has two units at most, and one of them is one at least.
  minLength: (value, asked: number) => isText(value) && asked <= 1 && value.length >= asked,
  maxLength: (value, asked: number) => isText(value) && value.length <= asked,
  format: (value, asked: string) => isText(value) && formats[asked]?.(value) === true,
  minimum: (value, asked: number) => typeof value === 'number' && value >= asked,
  maximum: (value, asked: number) => typeof value === 'number' && value <= asked,
  items: (value, asked: object) => Array.isArray(value) && value.every(one => fitsPlainly(asked, one)),
  maxItems: (value, asked: number) => Array.isArray(value) && value.length <= asked,
  uniqueItems: value => Array.isArray(value) && value.every(isText) && new Set(value).size === value.length,
  required: (value, asked: string[]) => isObject(value) && asked.every(name => Object.hasOwn(value, name)),
  // What is not there and has a default is for Ajv to fill in.
  properties: (value, asked: Members) =>
    isObject(value) &&
    Object.entries(asked).every(([name, schema]) =>
      Object.hasOwn(value, name) ? fitsPlainly(schema, value[name]) : !('default' in schema),
    ),
  additionalProperties: (value, asked: unknown, { properties = {} }) =>
    asked === false && isObject(value) && Object.keys(value).every(name => Object.hasOwn(properties, name)),
}

/** Whether a value surely fits its schema, as it is. False says nothing. */
export function fitsPlainly(schema: object, value: unknown): boolean {
  return Object.entries(schema).every(([keyword, asked]) => plainly[keyword]?.(value, asked as never, schema) === true)
}
