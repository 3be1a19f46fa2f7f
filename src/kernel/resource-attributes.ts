/** The attribute map of a resource in the network API's dialect: which values a create or update body may carry, and the errors when it does not fit. */
import type { Ctx } from './context.ts'
import { BadRequest } from './errors.ts'
import { type TObject, type TSchema, Type } from './schema/builders.ts'
import { fitsPlainly } from './schema/plainly.ts'
import { problemOf, pythonic } from './schema/validate.ts'

export interface Attribute {
  schema: TSchema
  /** May be given at creation; with a check (policy text), only by those it allows. Absent: no. */
  create?: true | string
  /** May be changed later; likewise. */
  update?: true | string
  /** Must be given at creation. */
  required?: boolean
  /** The value when not given at creation. */
  default?: unknown
  /** Shown in answers, by default true; with a check, only to those it allows. */
  visible?: boolean | string
  /** What it is in answers, where that is not what clients write. */
  shown?: TSchema
  /** Turns what clients also write (`"True"`, `"80"`) into the value; what it cannot read it returns as it is. Throws for errors of its own words. */
  convert?(value: unknown): unknown
  /** The table's column, by default one of the same name; false when the value is made by the view. */
  column?: string | false
}

export type Attributes = Record<string, Attribute>

export const badRequest = (message: string) => new BadRequest(message, { type: 'HTTPBadRequest' })

/** Reads the words that clients use for truth. */
export function toBoolean(value: unknown): unknown {
  if (value === 1 || (typeof value === 'string' && /^(true|1)$/i.test(value))) return true
  if (value === 0 || (typeof value === 'string' && /^(false|0)$/i.test(value))) return false
  return value
}

/** Reads a whole number from text. */
export function toInteger(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
}

export const nullToList = (value: unknown) => value ?? []

export const boolean = (options: Omit<Attribute, 'schema' | 'convert'> = {}): Attribute => ({
  schema: Type.Boolean(),
  convert: toBoolean,
  ...options,
})

/** One of these values. */
export const choice = (values: readonly (string | number)[]) => Type.Unsafe<unknown>({ enum: values })

export const text = (maxLength: number, options: Omit<Attribute, 'schema'> = {}): Attribute => ({
  schema: Type.String({ maxLength }),
  ...options,
})

/** Members that every resource has beyond its attribute map. */
export const standardAttributes: Attributes = {
  id: { schema: Type.String() },
  project_id: text(255, { create: true }),
  tenant_id: text(255, { create: true, column: 'project_id' }),
  description: text(255, { create: true, update: true, default: '' }),
  tags: {
    schema: Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { uniqueItems: true, maxItems: 50 }),
    create: true,
    default: [],
    // In the order in which Neutron shows them.
    convert: value => (Array.isArray(value) ? value.toSorted() : nullToList(value)),
  },
  created_at: { schema: Type.String() },
  updated_at: { schema: Type.String() },
  revision_number: { schema: Type.Integer() },
}

/** What clients read for the formats of schemas. */
const formats: Record<string, string> = { uuid: 'UUID', ip: 'IP address', cidr: 'IP subnet', mac: 'MAC address' }

/** An id of another resource. */
export const id = (options: Omit<Attribute, 'schema'> = {}): Attribute => ({
  schema: Type.String({ format: 'uuid' }),
  ...options,
})

/** One of a resource in answers: any of its attributes may be left out, by policy or since it was not asked for. */
export function answerOf(attributes: Attributes): TObject {
  const seen = Object.entries(attributes).filter(([, { visible }]) => visible !== false)
  const fields = seen.map(
    ([name, { shown, schema }]) => [name, Type.Optional(shown ?? Type.Union([schema, Type.Null()]))] as const,
  )
  return Type.Object(Object.fromEntries(fields))
}

/** What a body may say of one: `create` with what it must. */
export function bodyOf(attributes: Attributes, verb: 'create' | 'update'): TObject {
  const settable = Object.entries(attributes).filter(([, attribute]) => attribute[verb] !== undefined)
  const fields = settable.map(
    ([name, { schema, required }]) => [name, required && verb === 'create' ? schema : Type.Optional(schema)] as const,
  )
  return Type.Object(Object.fromEntries(fields), { additionalProperties: false })
}

/** Checks one value; returns it converted. */
export function checkedValue(name: string, attribute: Attribute, sent: unknown): unknown {
  const value = attribute.convert ? attribute.convert(sent) : sent
  if (fitsPlainly(attribute.schema, value)) return value
  const problem = problemOf(attribute.schema, value)
  if (!problem) return value
  const shown = pythonic(problem.value)
  const limits = attribute.schema as { maxLength?: number }
  const reason: Record<string, string> = {
    maxLength:
      limits.maxLength === undefined ? problem.message : `${shown} exceeds maximum length of ${limits.maxLength}`,
    uniqueItems: `Duplicate items in the list: ${shown}`,
    format: problem.message.replace(
      / is not a '(\w+)'$/,
      (_, format) => ` is not a valid ${formats[format] ?? format}`,
    ),
  }
  const where = problem.field ? ` (${problem.field})` : ''
  throw badRequest(`Invalid input for ${name}. Reason: ${reason[problem.keyword] ?? problem.message}${where}.`)
}

function bodyObject(sent: unknown): Record<string, unknown> {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) throw badRequest('Resource body required')
  return sent as Record<string, unknown>
}

/** The project that a new resource is for: the caller's own, unless the caller may choose. */
function projectOf(ctx: Ctx, body: Record<string, unknown>, mayChoose: boolean): string {
  const { project_id, tenant_id } = body
  if (project_id !== undefined && tenant_id !== undefined && project_id !== tenant_id)
    throw badRequest("'project_id' and 'tenant_id' do not match")
  const projectId = project_id ?? tenant_id ?? ctx.identity.project_id
  if (typeof projectId !== 'string' || projectId === '')
    throw badRequest('Running without keystone AuthN requires that tenant_id is specified')
  if (projectId !== ctx.identity.project_id && !mayChoose)
    throw badRequest(
      "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges",
    )
  return checkedValue('project_id', standardAttributes.project_id!, projectId) as string
}

/** One member of a create body, checked, with defaults filled in. */
export function createValues(
  ctx: Ctx,
  attributes: Attributes,
  sent: unknown,
  mayChooseProject: boolean,
): Record<string, unknown> {
  const body = bodyObject(sent)
  const unknown = Object.keys(body).filter(name => !Object.hasOwn(attributes, name))
  if (unknown.length > 0) throw badRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`)
  const values: Record<string, unknown> = { project_id: projectOf(ctx, body, mayChooseProject) }
  for (const [name, attribute] of Object.entries(attributes)) {
    if (name === 'project_id' || name === 'tenant_id') continue
    if (body[name] !== undefined) {
      if (!attribute.create) throw badRequest(`Attribute '${name}' not allowed in POST`)
      values[name] = checkedValue(name, attribute, body[name])
    } else if (attribute.required)
      throw badRequest(`Failed to parse request. Required attribute '${name}' not specified`)
    else if (attribute.create) values[name] = structuredClone(attribute.default)
  }
  return values
}

/** What an update body changes, checked. */
export function updateValues(attributes: Attributes, sent: unknown): Record<string, unknown> {
  const body = bodyObject(sent)
  const unknown = Object.keys(body).filter(name => !Object.hasOwn(attributes, name))
  if (unknown.length > 0) throw badRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`)
  const patch: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(body)) {
    const attribute = attributes[name]!
    if (!attribute.update) throw badRequest(`Cannot update read-only attribute ${name}`)
    patch[name] = checkedValue(name, attribute, value)
  }
  return patch
}

/** The items of a create body: one, or several of a bulk request. */
export function itemsOf(
  { collection, member }: { collection: string; member: string },
  body: unknown,
): { items: unknown[]; bulk: boolean } {
  const sent = body as Record<string, unknown> | null
  const many = sent?.[collection]
  if (many !== undefined && !Array.isArray(many))
    throw badRequest(`Invalid input for ${collection}. Reason: ${pythonic(many)} is not a list.`)
  if (many === undefined && sent?.[member] === undefined) throw badRequest(`Unable to find '${member}' in request body`)
  if (many?.length === 0) throw badRequest('Resources required')
  return { items: many ?? [sent![member]], bulk: many !== undefined }
}
