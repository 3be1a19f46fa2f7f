/** Bodies that a schema takes, made from the schema, and the same with one value gone bad. */
import { problemOf } from '../../src/kernel/schema/validate.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON Schema is whatever it is
type Schema = Record<string, any>

/** Strings of which one fits most patterns and formats. */
const candidates = [
  'a',
  'name',
  '1',
  'true',
  '/a',
  '6a1f2c3d-0000-4000-8000-00000000beef',
  '10.1.2.0/24',
  '10.1.2.3',
  'fa:16:3e:00:00:01',
  '2001:db8::1',
  '2030-01-01T00:00:00Z',
  'http://name.example/',
  '/dev/vdb',
  'YQ==',
  'CUSTOM_A',
  '1:2',
  // A digest, of nothing.
  'd41d8cd98f00b204e9800998ecf8427e',
]

function text(schema: Schema): string {
  const long = 'a'.repeat(schema.minLength ?? 1)
  return [...candidates, long].find(one => !problemOf(schema as never, one)) ?? long
}

/** A value with all members, optional ones included: those that the schema still takes. */
export function sample(schema: Schema): unknown {
  if ('const' in schema) return schema.const
  if (schema.enum) return schema.enum[0]
  if (schema.default !== undefined) return schema.default
  const alternatives = (schema.anyOf ?? schema.oneOf) as Schema[] | undefined
  if (alternatives) return sample(alternatives.find(one => one.type !== 'null') ?? alternatives[0]!)
  if (schema.allOf) return Object.assign({}, ...(schema.allOf as Schema[]).map(sample))
  switch ([schema.type].flat()[0]) {
    case 'string':
      return text(schema)
    case 'integer':
    case 'number':
      return schema.minimum ?? 1
    case 'boolean':
      return true
    case 'null':
      return null
    case 'array':
      return schema.items ? [sample(schema.items)] : []
    case 'object':
      return Object.fromEntries([
        ...Object.entries((schema.properties ?? {}) as Record<string, Schema>).map(([k, v]) => [k, sample(v)]),
        ...Object.values((schema.patternProperties ?? {}) as Record<string, Schema>).map(v => ['a', sample(v)]),
      ])
    default:
      return text(schema)
  }
}

type Path = (string | number)[]

/** Where the leaves of a value are. */
export function leaves(value: unknown, path: Path = []): { path: Path; value: unknown }[] {
  if (typeof value !== 'object' || value === null) return [{ path, value }]
  return Object.entries(value).flatMap(([key, one]) => leaves(one, [...path, Array.isArray(value) ? Number(key) : key]))
}

/** Where anything is in a value, itself included. */
export function nodes(value: unknown, path: Path = []): { path: Path; value: unknown }[] {
  const inner =
    typeof value !== 'object' || value === null
      ? []
      : Object.entries(value).flatMap(([key, one]) => nodes(one, [...path, Array.isArray(value) ? Number(key) : key]))
  return [{ path, value }, ...inner]
}

/** A copy of the value with another leaf. */
export function withLeaf(value: unknown, path: Path, leaf: unknown): unknown {
  if (path.length === 0) return leaf
  const [key, ...rest] = path
  const copy = Array.isArray(value) ? [...value] : { ...(value as object) }
  const members = copy as Record<string | number, unknown>
  members[key!] = withLeaf(members[key!], rest, leaf)
  return copy
}
