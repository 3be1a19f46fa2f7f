/** A section of the configuration: a name and a schema with defaults and descriptions, placed beside what it configures. */
import { type Static, type TObject, Type } from '../schema/builders.ts'

export interface Section<T extends TObject = TObject> {
  readonly name: string
  readonly schema: T
}

/** The members of a JSON schema that the configuration reads. */
export interface Schema {
  type?: string
  description?: string
  default?: unknown
  secret?: boolean
  properties?: Record<string, Schema>
  patternProperties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  required?: readonly string[]
  items?: Schema
  anyOf?: readonly Schema[]
  enum?: readonly unknown[]
  const?: unknown
  minimum?: number
  maximum?: number
}

export type Values<S> = S extends Section<infer T> ? Static<T> : never

/** The schema's own `description` heads the section in the sample file. */
export function section<T extends TObject>(name: string, schema: T): Section<T> {
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name)) throw new Error(`"${name}" is no section name: use snake_case.`)
  return { name, schema }
}

/** Text that is never printed: passwords, keys, URLs that hold them. */
export function secret(options: { description: string; default?: string; minLength?: number }) {
  return Type.String({ ...options, secret: true })
}

/** One setting: a leaf of a section's schema. */
export interface Setting {
  section: string
  /** Below the section; more than one for settings that are grouped. */
  path: readonly string[]
  schema: Schema
  required: boolean
}

export function settingsOf(section: Section): Setting[] {
  return leaves(section.name, [], section.schema as Schema)
}

function leaves(section: string, path: readonly string[], schema: Schema): Setting[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const below = [...path, key]
    if (child.properties) return leaves(section, below, child)
    return { section, path: below, schema: child, required: schema.required?.includes(key) ?? false }
  })
}

/** The schema at a path of keys, or undefined where there is none. */
export function schemaAt(schema: Schema | undefined, path: readonly string[]): Schema | undefined {
  const [key, ...rest] = path
  if (schema === undefined || key === undefined) return schema
  return schemaAt(schema.properties?.[key] ?? Object.values(schema.patternProperties ?? {})[0], rest)
}

/** The words that a setting may be, when it is a choice. */
export function choicesOf(schema: Schema): readonly unknown[] | undefined {
  if (schema.enum) return schema.enum
  const constants = schema.anyOf?.map(one => one.const)
  return constants?.every(value => value !== undefined) ? constants : undefined
}
