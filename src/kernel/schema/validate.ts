/** Validation by Ajv, compiled on first use; error messages in the words that OpenStack's clients know. */
import { isIP, isIPv4, isIPv6 } from 'node:net'
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv'
import type { TSchema } from 'typebox'
import { onDemand } from '../on-demand.ts'

/** What is wrong with a value: the path of the field (`server.name`) and a sentence. */
export interface Problem {
  field: string
  value: unknown
  message: string
  /** The schema keyword that failed. */
  keyword: string
  /** Where in the schema that is: `properties`, `name`, `maxLength`. */
  rule: string[]
}

/** Strict types, the same without members that are too much, or text that is read as numbers and booleans. */
type Kind = 'body' | 'relaxed' | 'query'

const uuidPattern = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const macPattern = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i

export const isUuid = (value: string) => uuidPattern.test(value)

/** True for `address/length` of either family. */
export function isCidr(value: string): boolean {
  const [address, length, ...rest] = value.split('/')
  if (!address || !length || rest.length > 0 || !/^\d{1,3}$/.test(length)) return false
  return Number(length) <= (isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1)
}

export const formats: Record<string, (value: string) => boolean> = {
  uuid: isUuid,
  ip: value => isIP(value) !== 0,
  ipv4: isIPv4,
  ipv6: isIPv6,
  cidr: isCidr,
  mac: value => macPattern.test(value),
  'date-time': value =>
    /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/.test(value) && !Number.isNaN(Date.parse(value)),
  uri: value => URL.canParse(value),
  base64: value => value.length % 4 === 0 && /^[A-Za-z0-9+/\s]*={0,2}$/.test(value),
  // No control characters, no leading or trailing white space: names as Nova wants them.
  name: value => value.trim() === value && !/[\p{Cc}]/u.test(value),
}

function makeAjv(kind: Kind): Ajv {
  const ajv = new (onDemand.ajv().Ajv)({
    strict: false,
    // Our schemas are checked by the compiler and by tests; the schema of schemas costs more to compile than most of them.
    validateSchema: false,
    meta: false,
    allErrors: false,
    // A pass over the code that is made costs more than all else of compiling, and V8 does as well without.
    code: { optimize: false },
    useDefaults: true,
    verbose: true,
    ownProperties: true,
    ...(kind === 'query' && { coerceTypes: 'array' }),
    ...(kind === 'relaxed' && { removeAdditional: true }),
  })
  for (const [name, validate] of Object.entries(formats)) ajv.addFormat(name, validate)
  return ajv
}

const instances: Partial<Record<Kind, Ajv>> = {}
const compiled: Record<Kind, WeakMap<TSchema, ValidateFunction>> = {
  body: new WeakMap(),
  relaxed: new WeakMap(),
  query: new WeakMap(),
}

function compile(kind: Kind, schema: TSchema): ValidateFunction {
  const known = compiled[kind].get(schema)
  if (known) return known
  instances[kind] ??= makeAjv(kind)
  const validate = instances[kind].compile(schema)
  compiled[kind].set(schema, validate)
  return validate
}

type Fields = Map<string, TSchema>

interface ObjectSchema {
  type?: unknown
  properties?: Record<string, TSchema>
  additionalProperties?: unknown
}

const fields = new WeakMap<TSchema, Fields | undefined>()

/** The schema of each field alone, when they are all that an object's schema asks for. */
function fieldsOf(schema: TSchema): Fields | undefined {
  if (fields.has(schema)) return fields.get(schema)
  const { type, properties = {}, additionalProperties: _, ...more } = schema as ObjectSchema
  const each = Object.entries(properties)
  const plain = type === 'object' && Object.keys(more).length === 0 && each.every(([, field]) => !('default' in field))
  const found = plain
    ? new Map(each.map(([name, field]) => [name, { type, properties: { [name]: field } } as TSchema]))
    : undefined
  fields.set(schema, found)
  return found
}

/** What a query has to fit: the schemas of the few fields that it names, of the many that it may, so that only these are compiled; or the whole. */
function asked(schema: TSchema, query: object): TSchema[] {
  const known = fieldsOf(schema)
  const isOpen = (schema as ObjectSchema).additionalProperties !== false
  if (!known || !Object.keys(query).every(name => isOpen || known.has(name))) return [schema]
  return [...known].filter(([name]) => Object.hasOwn(query, name)).map(([, field]) => field)
}

/** Checks a body (strict types; when relaxed, members that are too much are taken out) or a query (strings are read as numbers and booleans), filling in defaults. Undefined: all is well. */
export function problemOf(schema: TSchema, value: unknown, kind: Kind = 'body'): Problem | undefined {
  for (const part of kind === 'query' ? asked(schema, value as object) : [schema]) {
    const validate = compile(kind, part)
    if (!validate(value)) return describe(mostTelling(validate.errors ?? []))
  }
  return undefined
}

/** Of the errors of alternatives, the one deepest in the value says most. Where each alternative is one word, all of them are named. */
function mostTelling(errors: ErrorObject[]): ErrorObject {
  const plain = errors.filter(e => e.keyword !== 'anyOf' && e.keyword !== 'oneOf' && e.keyword !== 'if')
  const best = plain.reduce(
    (best, e) => (e.instancePath.length > best.instancePath.length ? e : best),
    plain[0] ?? errors[0]!,
  )
  if (best.keyword !== 'const') return best
  const words = plain.filter(e => e.keyword === 'const' && e.instancePath === best.instancePath)
  return { ...best, params: { allowedValues: [...new Set(words.map(e => e.params.allowedValue))] } }
}

/** A value as Python prints it, which is how the messages that clients match show it. */
export function pythonic(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') {
    const shown = value.length > 300 ? `${value.slice(0, 300)}…` : value
    return shown.includes("'") && !shown.includes('"')
      ? `"${shown}"`
      : `'${shown.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  }
  if (Array.isArray(value)) return `[${value.slice(0, 20).map(pythonic).join(', ')}]`
  return `{${Object.entries(value as object)
    .slice(0, 20)
    .map(([k, v]) => `${pythonic(k)}: ${pythonic(v)}`)
    .join(', ')}}`
}

function describe(error: ErrorObject): Problem {
  const field = error.instancePath.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~')
  const value = error.data
  const shown = pythonic(value)
  const params = error.params as Record<string, unknown>
  const said = () => {
    switch (error.keyword) {
      case 'maxLength':
        return `${shown} is too long`
      case 'minLength':
        return `${shown} is too short`
      case 'maxItems':
        return `${shown} is too long`
      case 'minItems':
        return `${shown} is too short`
      case 'maximum':
      case 'exclusiveMaximum':
        return `${shown} is greater than the maximum of ${params.limit}`
      case 'minimum':
      case 'exclusiveMinimum':
        return `${shown} is less than the minimum of ${params.limit}`
      case 'type':
        return `${shown} is not of type ${[params.type].flat().map(pythonic).join(', ')}`
      case 'enum':
      case 'const':
        return `${shown} is not one of ${pythonic(params.allowedValues)}`
      case 'pattern':
        return `${shown} does not match ${pythonic(params.pattern)}`
      case 'format':
        return `${shown} is not a ${pythonic(params.format)}`
      case 'required':
        return `${pythonic(params.missingProperty)} is a required property`
      case 'additionalProperties':
      case 'unevaluatedProperties': {
        const patterns = Object.keys((error.parentSchema?.patternProperties as object | undefined) ?? {})
        if (patterns.length > 0)
          return `${pythonic(params.additionalProperty)} does not match any of the regexes: ${patterns.map(pythonic).join(', ')}`
        return `Additional properties are not allowed (${pythonic(params.additionalProperty ?? params.unevaluatedProperty)} was unexpected)`
      }
      case 'uniqueItems':
        return `${shown} has non-unique elements`
      case 'minProperties':
        return `${shown} does not have enough properties`
      case 'maxProperties':
        return `${shown} has too many properties`
      default:
        return error.message ?? `${shown} is not valid`
    }
  }
  const rule = error.schemaPath
    .slice(2)
    .split('/')
    .map(part => decodeURIComponent(part.replaceAll('~1', '/').replaceAll('~0', '~')))
  return { field, value, message: said(), keyword: error.keyword, rule }
}
