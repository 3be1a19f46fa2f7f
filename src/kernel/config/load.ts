/** Loads the configuration: defaults, then files, then the environment, then overrides; validated as a whole. */
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import type { ErrorObject } from 'ajv'
import type { Static, TObject } from 'typebox'
import { messageOf } from '../errors.ts'
import { didYouMean } from '../near-miss.ts'
import { onDemand } from '../on-demand.ts'
import { fitsPlainly } from '../schema/plainly.ts'
import { choicesOf, type Schema, type Section } from './section.ts'
import { type Assignment, ConfigError, fromEnvironment, fromOverrides, fromYaml } from './sources.ts'

export { ConfigError } from './sources.ts'

export interface ConfigSources {
  /** Paths of YAML files; a later one wins. */
  files?: readonly string[]
  /** Reads a file; from the disk by default. */
  read?: (path: string) => string
  env?: Readonly<Record<string, string | undefined>>
  /** `section.key=value`. */
  overrides?: readonly string[]
}

export interface Config {
  /** A section's values, frozen. As JSON or in a log its secrets read `***`. */
  of<T extends TObject>(section: Section<T>): Static<T>
  /** Every section with its secrets masked, for printing. */
  printable(): Record<string, unknown>
}

type Tree = Record<string, unknown>

/** Throws a `ConfigError` with every problem found, each with the file and line, variable or override that made it. */
export function loadConfig(sections: readonly Section[], sources: ConfigSources = {}): Config {
  const root = rootSchema(sections)
  const read = sources.read ?? readText
  const assignments = [
    ...(sources.files ?? []).flatMap(file => fromYaml(read(file), file)),
    ...fromEnvironment(sources.env ?? {}, root),
    ...fromOverrides(sources.overrides ?? [], root),
  ]
  const { tree, origins } = merge(assignments)
  const known = root.properties ?? {}
  const unknown = Object.keys(tree).filter(name => !Object.hasOwn(known, name))
  const suspects: Record<string, Schema> = {}
  for (const [name, schema] of Object.entries(known)) {
    tree[name] ??= Object.create(null)
    const part = narrowed(schema, tree[name])
    const isComplete = fillDefaults(schema, tree[name])
    if (!isComplete || part !== sound) suspects[name] = isComplete ? part : schema
  }
  const problems = unknown.map(
    name => `${originOf([name], origins)}: ${name} is not a known section.${didYouMean(name, Object.keys(known))}`,
  )
  if (Object.keys(suspects).length > 0)
    problems.push(...problemsIn({ type: 'object', properties: suspects }, tree, origins))
  if (problems.length > 0) throw new ConfigError([...new Set(problems)])
  const values = structuredClone(tree)
  hideSecrets(values, root)
  return {
    of(section) {
      const found = values[section.name]
      if (found === undefined) throw new Error(`Section "${section.name}" was not among those loaded.`)
      return found as never
    },
    printable: () => mask(values, root) as Tree,
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ConfigError([`${path}: cannot be read: ${messageOf(cause)}`])
  }
}

/** One schema for the whole file, in which every object refuses members that it does not know. */
function rootSchema(sections: readonly Section[]): Schema {
  const properties: Record<string, Schema> = {}
  for (const { name, schema } of sections) {
    if (properties[name]) throw new Error(`Two configuration sections are named "${name}".`)
    properties[name] = closed(schema as Schema)
  }
  return { type: 'object', properties }
}

function closed(schema: Schema): Schema {
  const copy: Schema = { ...schema }
  const each = (children: Record<string, Schema>) =>
    Object.fromEntries(Object.entries(children).map(([key, child]) => [key, closed(child)]))
  if (copy.properties) {
    copy.properties = each(copy.properties)
    copy.additionalProperties ??= false
    // A group that must be there need not be written when its settings have defaults; an optional one stays absent.
    for (const key of copy.required ?? []) {
      const child = copy.properties[key]
      if (child?.properties) child.default ??= {}
    }
  }
  if (copy.patternProperties) copy.patternProperties = each(copy.patternProperties)
  if (copy.items) copy.items = closed(copy.items)
  return copy
}

/** Null prototypes, so that no key of a file can reach one. */
function merge(assignments: readonly Assignment[]): { tree: Tree; origins: Map<string, string> } {
  const tree: Tree = Object.create(null)
  const origins = new Map<string, string>()
  for (const { path, value, origin } of assignments) {
    let place = tree
    for (const key of path.slice(0, -1)) {
      if (!isTree(place[key])) place[key] = Object.create(null)
      place = place[key] as Tree
    }
    const last = path.at(-1)!
    const isEmptyGroup = isTree(value) && Object.keys(value).length === 0
    if (!(isEmptyGroup && isTree(place[last]))) place[last] = value
    origins.set(path.join('.'), origin)
  }
  return { tree, origins }
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Returns whether everything required is there. */
function fillDefaults(schema: Schema, value: unknown): boolean {
  if (!isTree(value)) return false
  let complete = true
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    if (value[key] === undefined && child.default !== undefined) value[key] = structuredClone(child.default)
    if (value[key] === undefined && schema.required?.includes(key)) complete = false
    if (child.properties && value[key] !== undefined) complete = fillDefaults(child, value[key]) && complete
  }
  return complete
}

/** A schema for what needs no check. */
const sound: Schema = {}

/** Of a schema what is needed to check the settings that were given: defaults are right, and compiling all schemas is a third of a start. */
function narrowed(schema: Schema, given: unknown): Schema {
  if (!schema.properties || !isTree(given)) return fitsPlainly(schema, given) ? sound : schema
  const properties = Object.entries(schema.properties).map(
    ([key, child]) => [key, given[key] === undefined ? sound : narrowed(child, given[key])] as const,
  )
  const isKnown = (key: string) => Object.hasOwn(schema.properties!, key)
  if (Object.keys(given).every(isKnown) && properties.every(([, child]) => child === sound)) return sound
  return { ...schema, properties: Object.fromEntries(properties) }
}

function problemsIn(schema: Schema, tree: Tree, origins: ReadonlyMap<string, string>): string[] {
  const ajv = new (onDemand.ajv().Ajv)({
    allErrors: true,
    verbose: true,
    strictTypes: false,
    strictRequired: false,
    validateSchema: false,
    meta: false,
    code: { optimize: false },
  })
  ajv.addKeyword('secret')
  const check = ajv.compile(schema)
  if (check(tree)) return []
  return (check.errors ?? [])
    .filter(error => !error.schemaPath.includes('/anyOf/'))
    .map(error => problemOf(error, origins))
}

function problemOf(error: ErrorObject, origins: ReadonlyMap<string, string>): string {
  const parent = error.instancePath.split('/').slice(1).map(unescapePointer)
  const at = (path: string[], words: string) => {
    const origin = originOf(path, origins)
    return `${origin ? `${origin}: ` : ''}${path.join('.')} ${words}`
  }
  const schema = (error.parentSchema ?? {}) as Schema
  if (error.keyword === 'additionalProperties') {
    const name = String(error.params.additionalProperty)
    return at([...parent, name], `is not a known setting.${didYouMean(name, Object.keys(schema.properties ?? {}))}`)
  }
  if (error.keyword === 'required') return at([...parent, String(error.params.missingProperty)], 'must be set')
  const choices = choicesOf(schema)
  if (choices) return at(parent, `must be one of: ${choices.join(', ')}`)
  if (error.keyword === 'anyOf') return at(parent, 'has none of the forms it may have')
  return at(parent, error.message ?? 'is not valid')
}

const unescapePointer = (part: string) => part.replaceAll('~1', '/').replaceAll('~0', '~')

/** The origin of the setting, of the first one below it, or of the nearest group around it that was set. */
function originOf(path: readonly string[], origins: ReadonlyMap<string, string>): string | undefined {
  for (let length = path.length; length > 0; length--) {
    const origin = origins.get(path.slice(0, length).join('.'))
    if (origin) return origin
  }
  return [...origins].find(([name]) => name.startsWith(`${path.join('.')}.`))?.[1]
}

/** Freezes the values; a group that holds secrets prints them as `***` wherever it is logged or made JSON. */
function hideSecrets(value: unknown, schema: Schema | undefined): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) hideSecrets(child, childSchema(schema, key))
  if (isTree(value) && Object.keys(value).some(key => childSchema(schema, key)?.secret)) {
    const masked = () => mask(value, schema)
    Object.defineProperties(value, { toJSON: { value: masked }, [inspect.custom]: { value: masked } })
  }
  Object.freeze(value)
}

function mask(value: unknown, schema: Schema | undefined): unknown {
  if (schema?.secret) return value === undefined || value === '' ? value : '***'
  if (Array.isArray(value)) return value.map(item => mask(item, schema?.items))
  if (!isTree(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, mask(child, childSchema(schema, key))]))
}

function childSchema(schema: Schema | undefined, key: string): Schema | undefined {
  return schema?.items ?? schema?.properties?.[key] ?? Object.values(schema?.patternProperties ?? {})[0]
}
