/** The sample configuration file and the reference page, made from the sections. */
import { onDemand } from '../on-demand.ts'
import { choicesOf, type Schema, type Section, settingsOf } from './section.ts'

/** A YAML file with every setting, its description and its default, all commented out: it changes nothing. */
export function sampleConfig(sections: readonly Section[]): string {
  const head = [
    '# Nephos. Every setting with its default: remove the # in front of one to change it.',
    '# It is read at a start, as nephos.yaml in the data directory.',
    '',
  ]
  const body = sections.flatMap(section => [
    ...wrapped((section.schema as Schema).description ?? '', '# '),
    `${section.name}:`,
    ...sampleOf(section.schema as Schema, '  # '),
    '',
  ])
  return [...head, ...body].join('\n')
}

function sampleOf(schema: Schema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const about = wrapped(child.description ?? '', `${prefix}# `)
    if (child.properties) return [...about, `${prefix}${key}:`, ...sampleOf(child, `${prefix}  `)]
    const required = schema.required?.includes(key) && child.default === undefined
    const value = child.default === undefined ? '' : ` ${shown(child)}`
    return [...about, `${prefix}# ${typeOf(child)}${required ? '; must be set' : ''}`, `${prefix}${key}:${value}`]
  })
}

/** A Markdown page with one table a section. */
export function configReference(sections: readonly Section[]): string {
  const head = [
    '# Configuration reference',
    '',
    'Settings come from YAML files, then variables `NEPHOS_<SECTION>__<KEY>`, then `section.key=value` on the command line; the last wins.',
    '',
  ]
  const body = sections.flatMap(section => [
    `## ${section.name}`,
    '',
    ...wrapped((section.schema as Schema).description ?? '', ''),
    '',
    '| setting | type | default | meaning |',
    '|---|---|---|---|',
    ...settingsOf(section).map(({ path, schema, required }) => {
      const value = schema.default === undefined ? (required ? 'must be set' : '') : code(shown(schema))
      const cells = [code(path.join('.')), cell(typeOf(schema)), value, cell(schema.description ?? '')]
      return `| ${cells.join(' | ')} |`
    }),
    '',
  ])
  return [...head, ...body].join('\n')
}

const cell = (text: string) => text.replaceAll('|', '\\|').replace(/\s+/g, ' ')
const code = (text: string) => `\`${cell(text)}\``

const shown = (schema: Schema): string =>
  schema.secret && schema.default !== ''
    ? '"***"'
    : onDemand.yaml().stringify(schema.default, { collectionStyle: 'flow', lineWidth: 0 }).trim()

function typeOf(schema: Schema): string {
  const choices = choicesOf(schema)
  if (choices) return `one of ${choices.join(', ')}`
  if (schema.secret) return 'secret text'
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}`
  if (schema.patternProperties) return `map to ${typeOf(Object.values(schema.patternProperties)[0] ?? {})}`
  const names: Record<string, string> = { string: 'text', boolean: 'true or false', object: 'map', number: 'number' }
  return `${names[schema.type ?? ''] ?? schema.type ?? 'any value'}${range(schema)}`
}

function range({ minimum, maximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (minimum !== undefined) return `, at least ${minimum}`
  return maximum === undefined ? '' : `, at most ${maximum}`
}

function wrapped(text: string, prefix: string, width = 110): string[] {
  const lines: string[] = []
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.map(line => prefix + line)
}
