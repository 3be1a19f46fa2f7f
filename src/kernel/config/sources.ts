/** Where settings come from: YAML files, the environment and `section.key=value` words, each as a list of assignments. */
import type { YAMLMap } from 'yaml'
import { messageOf } from '../errors.ts'
import { onDemand } from '../on-demand.ts'
import { choicesOf, type Schema, schemaAt } from './section.ts'

export interface Assignment {
  /** The section, then the keys below it. */
  path: readonly string[]
  value: unknown
  /** For messages: `nephos.yaml:12`, `NEPHOS_COMPUTE__CPU_RATIO`. */
  origin: string
}

export class ConfigError extends Error {
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`The configuration is not valid:\n${problems.map(problem => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

export function fromYaml(text: string, file: string): Assignment[] {
  const { isAlias, isMap, isScalar, LineCounter, parseDocument } = onDemand.yaml()
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const [error] = document.errors
  // Only the first line: the rest repeats the text, which may hold a secret.
  if (error) throw new ConfigError([`${file}: ${error.message.split('\n')[0]}`])
  if (document.contents === null) return []
  if (!isMap(document.contents)) throw new ConfigError([`${file}: expected sections, each with its settings below it`])

  function assignments(map: YAMLMap, path: readonly string[]): Assignment[] {
    return map.items.flatMap(({ key, value: written }) => {
      const name = String(isScalar(key) ? key.value : key)
      const line = isScalar(key) && key.range ? lines.linePos(key.range[0]).line : 1
      const below = [...path, name]
      const value = isAlias(written) ? written.resolve(document) : written
      if (isMap(value) && value.items.length > 0) return assignments(value, below)
      // A section whose settings are all commented out reads as null.
      const empty = path.length === 0 && (value === null || (isScalar(value) && value.value === null))
      const plain = isScalar(value) || isMap(value) ? value.toJS(document) : toPlain(value)
      return { path: below, value: empty ? {} : plain, origin: `${file}:${line}` }
    })
  }
  const toPlain = (value: unknown): unknown =>
    value === null ? null : (value as { toJS(document: unknown): unknown }).toJS(document)
  return assignments(document.contents, [])
}

/** `NEPHOS_<SECTION>__<KEY>`; other variables that begin with `NEPHOS_` are not settings. */
export function fromEnvironment(env: Readonly<Record<string, string | undefined>>, root: Schema): Assignment[] {
  return Object.entries(env).flatMap(([name, text]) => {
    if (text === undefined || !name.startsWith('NEPHOS_') || !name.includes('__')) return []
    const path = name.slice('NEPHOS_'.length).toLowerCase().split('__')
    return { path, value: fromText(schemaAt(root, path), text, name), origin: name }
  })
}

/** `section.key=value`, as given on the command line. */
export function fromOverrides(overrides: readonly string[], root: Schema): Assignment[] {
  return overrides.map(override => {
    const equals = override.indexOf('=')
    const path = override.slice(0, equals).split('.')
    if (equals < 1 || path.length < 2) throw new ConfigError(['an override must be written section.key=value'])
    const origin = `override ${override.slice(0, equals)}`
    return { path, value: fromText(schemaAt(root, path), override.slice(equals + 1), origin), origin }
  })
}

/** Text as the schema wants it: text stays as it is, a list may be written with commas, the rest is read as YAML. */
function fromText(schema: Schema | undefined, text: string, origin: string): unknown {
  if (schema === undefined || schema.type === 'string') return text
  if (choicesOf(schema)?.includes(text)) return text
  if ((schema.type === 'integer' || schema.type === 'number') && /^-?\d{1,15}$/.test(text)) return Number(text)
  if (schema.type === 'array' && !text.trimStart().startsWith('[')) {
    if (text.trim() === '') return []
    return text.split(',').map(item => fromText(schema.items, item.trim(), origin))
  }
  try {
    return onDemand.yaml().parse(text)
  } catch (cause) {
    // The text is not repeated: it may be a secret.
    throw new ConfigError([`${origin}: not readable (${messageOf(cause).split(/ at line|:/)[0]})`])
  }
}
