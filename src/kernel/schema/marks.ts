/** Marks on fields: which API versions know them. Handlers see the newest shape; the kernel cuts schemas and answers to the version asked for. */
import { type Static, type TOptional, type TSchema, Type } from './builders.ts'
import { ordinal, type Version } from './version.ts'

interface Marks {
  'x-since'?: Version
  'x-until'?: Version
  'x-by-version'?: Record<string, TSchema>
}

/** A field that exists from `version` on. Optional for the handler, since older requests cannot carry it. */
export function since<T extends TSchema>(version: Version, schema: T): TOptional<T> {
  return Type.Optional({ ...schema, 'x-since': version } as T) as TOptional<T>
}

/** A field that exists from `version` on, and that requests must have then. Optional for the handler, as with `since`. */
export function requiredSince<T extends TSchema>(version: Version, schema: T): TOptional<T> {
  return { ...schema, 'x-since': version } as unknown as TOptional<T>
}

/** A field that exists up to and with `version`. */
export function until<T extends TSchema>(version: Version, schema: T): TOptional<T> {
  return Type.Optional({ ...schema, 'x-until': version } as T) as TOptional<T>
}

/** A field that exists from `first` up to and with `last`. */
export function between<T extends TSchema>(first: Version, last: Version, schema: T): TOptional<T> {
  return Type.Optional({ ...schema, 'x-since': first, 'x-until': last } as T) as TOptional<T>
}

/** A field whose schema changes: the one of the highest version not above the request's holds. */
export function byVersion<T extends TSchema>(schemas: Record<Version, TSchema>, newest: T): T {
  return { ...newest, 'x-by-version': schemas } as T
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** Every version at which something in the schema changes, ascending. */
export function boundaries(schema: unknown): number[] {
  const found = new Set<number>()
  const walk = (node: unknown) => {
    if (Array.isArray(node)) return node.forEach(walk)
    if (!isObject(node)) return
    const marks = node as Marks
    if (marks['x-since']) found.add(ordinal(marks['x-since']))
    if (marks['x-until']) found.add(ordinal(marks['x-until']) + 1)
    if (marks['x-by-version']) for (const v of Object.keys(marks['x-by-version'])) found.add(ordinal(v))
    Object.values(node).forEach(walk)
  }
  walk(schema)
  return [...found].sort((a, b) => a - b)
}

const present = (node: Marks, at: number) =>
  (node['x-since'] === undefined || ordinal(node['x-since']) <= at) &&
  (node['x-until'] === undefined || ordinal(node['x-until']) >= at)

function cut(node: unknown, at: number): unknown {
  if (Array.isArray(node)) return node.filter(item => !isObject(item) || present(item, at)).map(item => cut(item, at))
  if (!isObject(node)) return node
  const variants = (node as Marks)['x-by-version']
  if (variants) {
    const best = Object.keys(variants)
      .filter(v => ordinal(v) <= at)
      .sort((a, b) => ordinal(b) - ordinal(a))[0]
    if (best) return cut({ ...variants[best], 'x-since': undefined }, at)
  }
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (key.startsWith('x-')) continue
    if ((key === 'properties' || key === 'patternProperties') && isObject(value)) {
      const kept = Object.entries(value).filter(([, field]) => !isObject(field) || present(field, at))
      out[key] = Object.fromEntries(kept.map(([name, field]) => [name, cut(field, at)]))
    } else out[key] = cut(value, at)
  }
  if (Array.isArray(out.required) && isObject(out.properties)) {
    const known = out.properties
    out.required = out.required.filter(name => String(name) in known)
  }
  return out
}

interface Versions {
  boundaries: number[]
  shapes: Map<number, TSchema>
  prunings: Map<number, Prune | undefined>
}

type Prune = (value: unknown) => void

const cache = new WeakMap<TSchema, Versions>()

function entryOf(schema: TSchema): Versions {
  const known = cache.get(schema)
  if (known) return known
  const entry = { boundaries: boundaries(schema), shapes: new Map(), prunings: new Map() } satisfies Versions
  cache.set(schema, entry)
  return entry
}

/** The schema as it was at a version (an ordinal): plain JSON Schema without marks. Cached by the ranges in which it is the same. */
export function schemaAt(schema: TSchema, at: number): TSchema {
  const entry = entryOf(schema)
  const range = entry.boundaries.findLast(b => b <= at) ?? 0
  const known = entry.shapes.get(range)
  if (known) return known
  const shape = cut(schema, at) as TSchema
  entry.shapes.set(range, shape)
  return shape
}

/** True when the schema is the same at every version. */
export function unversioned(schema: TSchema): boolean {
  return entryOf(schema).boundaries.length === 0
}

/** What has to be done to a value at a version: fields that go, and what to look into. */
interface Pruning {
  drop: string[]
  into: [string, Pruning][]
  items: Pruning | undefined
}

/** Takes from `value`, in place, the fields that `full` names and its version at `at` does not. They become undefined, which is nothing in JSON. */
export function prune(value: unknown, full: TSchema, at: number): void {
  if (unversioned(full)) return
  const entry = entryOf(full)
  const range = entry.boundaries.findLast(b => b <= at) ?? 0
  if (!entry.prunings.has(range)) {
    const pruning = pruningOf(full as Record<string, unknown>, at)
    entry.prunings.set(range, pruning && written(pruning))
  }
  entry.prunings.get(range)?.(value)
}

/** Undefined when nothing has to be done. */
function pruningOf(schema: Record<string, unknown>, at: number): Pruning | undefined {
  const found: Pruning = { drop: [], into: [], items: undefined }
  if (isObject(schema.items) && !Array.isArray(schema.items)) found.items = pruningOf(schema.items, at)
  for (const [name, field] of Object.entries(isObject(schema.properties) ? schema.properties : {})) {
    if (!isObject(field)) continue
    if (!present(field, at)) found.drop.push(name)
    const inside = present(field, at) && pruningOf(field, at)
    if (inside) found.into.push([name, inside])
  }
  for (const branch of (schema.anyOf as Record<string, unknown>[] | undefined) ?? []) {
    const inside = pruningOf(branch, at)
    if (!inside) continue
    found.drop.push(...inside.drop)
    found.into.push(...inside.into)
    found.items ??= inside.items
  }
  return found.drop.length > 0 || found.into.length > 0 || found.items ? found : undefined
}

/** A function written for these fields, as validators are for their schemas: fields that it looks up by name cost a list of a thousand ten times as much. */
function written(pruning: Pruning): Prune {
  const lines = linesOf(pruning, 'value', 0)
  return new Function('value', lines.join('\n')) as Prune
}

function linesOf({ drop, into, items }: Pruning, value: string, depth: number): string[] {
  const field = (name: string) => `${value}[${JSON.stringify(name)}]`
  const [item, inner] = [`item${depth}`, `inner${depth}`]
  return [
    `if (Array.isArray(${value})) {`,
    ...(items ? [`for (const ${item} of ${value}) {`, ...linesOf(items, item, depth + 1), '}'] : []),
    `} else if (typeof ${value} === 'object' && ${value} !== null) {`,
    ...drop.map(name => `if (${field(name)} !== undefined) ${field(name)} = undefined`),
    ...into.flatMap(([name, inside]) => [
      `{ const ${inner} = ${field(name)}`,
      ...linesOf(inside, inner, depth + 1),
      '}',
    ]),
    '}',
  ]
}

export type { Static }
