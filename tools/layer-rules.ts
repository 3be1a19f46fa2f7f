/** Checks source text against the rules of layers.ts. Pure: paths and texts in, complaints out. */
import { builtinModules } from 'node:module'
import { dirname, join } from 'node:path/posix'
import * as rules from './layers.ts'

export interface Import {
  specifier: string
  typeOnly: boolean
  dynamic: boolean
}

/** The imports and re-exports of a file. The formatter's layout is relied on: a statement starts its line. */
export function importsOf(source: string): Import[] {
  const found: Import[] = []
  const statement = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm
  for (const [, type, specifier] of source.matchAll(statement)) {
    found.push({ specifier: specifier!, typeOnly: type !== undefined, dynamic: false })
  }
  for (const [text, specifier] of source.matchAll(/(?:typeof\s+)?\bimport\(\s*'([^']+)'\s*\)/g)) {
    found.push({ specifier: specifier!, typeOnly: text.startsWith('typeof'), dynamic: true })
  }
  return found
}

const withoutComments = (source: string) =>
  source.replace(/\/\*[\s\S]*?\*\//g, text => text.replace(/[^\n]/g, ' ')).replace(/(^|\s)\/\/.*$/gm, '$1')

export const isTest = (path: string) => /^test\/|\.test\.ts$|\.contract\.ts$|\/fixtures\//.test(path)

function toRegExp(pattern: string, bound: Record<string, string>): RegExp {
  const parts = pattern.split(/(\*\*|\*|\$X|\$R|\{[^}]+\})/).map(part => {
    if (part === '**') return '.*'
    if (part === '*') return '[^/]+'
    if (part === '$X' || part === '$R') return bound[part] ?? `(?<${part.slice(1)}>[^/]+)`
    if (part.startsWith('{')) return `(?:${part.slice(1, -1).replaceAll(',', '|')})`
    return part.replace(/[.+^()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`)
}

function rowOf(path: string) {
  for (const row of rules.rows) {
    const match = toRegExp(row.from, {}).exec(path)
    if (match) return { row, bound: { $X: match.groups?.X ?? '', $R: match.groups?.R ?? '' } }
  }
  return undefined
}

/** What is wrong with the import, or nothing. `target` is a path from the root. */
export function importComplaint(from: string, target: string, typeOnly: boolean): string | undefined {
  const found = rowOf(from)
  if (!found) return 'no row of tools/layers.ts covers this file'
  const sibling = /^src\/services\/([^/]+)\/([^/]+)\/([^/]+\.ts)$/.exec(target)
  const asPublic =
    sibling && rules.publicFile(sibling[2]!, sibling[3]!) ? `src/services/${sibling[1]}/${sibling[2]}/public` : target
  const allowed = found.row.may.some(entry => {
    const pattern = toRegExp(entry.replace(/^type:/, ''), found.bound)
    return (typeOnly || !entry.startsWith('type:')) && (pattern.test(target) || pattern.test(asPublic))
  })
  if (allowed) return undefined
  const typeWouldDo = !typeOnly && importComplaint(from, target, true) === undefined
  return `may not import ${target}${typeWouldDo ? ' except by `import type`' : ''}: ${found.row.why}`
}

const packageOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

function specifierComplaint(path: string, { specifier, typeOnly }: Import): string | undefined {
  if (specifier === 'node:http' && !typeOnly && path.startsWith('src/') && !isTest(path))
    return "imports node:http: all of undici is loaded with it at each start, so write process.getBuiltinModule('node:http')"
  if (specifier.startsWith('node:')) return undefined
  if (specifier.startsWith('#kernel/')) {
    if (path.startsWith('src/kernel/')) return `imports ${specifier}: within the kernel write a relative path`
    return isTest(path) ? undefined : importComplaint(path, specifier.replace('#kernel/', 'src/kernel/'), typeOnly)
  }
  if (specifier.startsWith('.')) {
    const target = join(dirname(path), specifier)
    if (path.startsWith('src/') && !path.startsWith('src/kernel/') && target.startsWith('src/kernel/')) {
      return `imports ${specifier}: write #kernel/${target.slice('src/kernel/'.length)}`
    }
    return isTest(path) || !target.endsWith('.ts') ? undefined : importComplaint(path, target, typeOnly)
  }
  const name = packageOf(specifier)
  if (builtinModules.includes(name)) return `imports ${name}: write node:${name}`
  const free = isTest(path) || path.startsWith('tools/')
  if (rules.npmPackages.includes(name) || (free && rules.npmPackagesForTests.includes(name))) return undefined
  return `imports npm package ${name}, which is not in the list of tools/layers.ts`
}

function nameComplaints(path: string): string[] {
  const complaints: string[] = []
  for (const word of path.replace(/\.ts$/, '').split('/')) {
    if (rules.emptyNames.includes(word)) complaints.push(`'${word}' says nothing about what is in it: name it for that`)
    if (!/^[a-z0-9]+([-.][a-z0-9]+)*$/.test(word)) complaints.push(`'${word}' is not kebab-case`)
  }
  if (path.endsWith('/index.ts')) complaints.push('no index files: they become barrels')
  return complaints
}

function textComplaints(path: string, source: string): string[] {
  const complaints: string[] = []
  const code = withoutComments(source)
  if (/^export \* (as \w+ )?from/m.test(code)) complaints.push('no barrels: import from the file that has it')
  if (/^export default\b/m.test(code)) complaints.push('no default exports')
  if (!isTest(path) && !/^(#!.*\n)?\/[*/]/.test(source)) complaints.push('the first line says what the file is')
  const ending = new RegExp(`\\b(?:class|interface|type|function)\\s+\\w+(?:${rules.emptyEndings.join('|')})\\b`)
  const named = ending.exec(code)
  if (named) complaints.push(`'${named[0]}': that ending says nothing, name it for what it does`)
  const clockFile = rules.clockFiles.some(pattern => toRegExp(pattern, {}).test(path))
  if (path.startsWith('src/') && !isTest(path) && !clockFile) {
    const word = rules.clockWords.exec(code)
    if (word) complaints.push(`'${word[0]}': take a Clock or Ids (kernel/clock.ts, kernel/ids.ts)`)
  }
  return complaints
}

/** The tables that services' migrations make, by name: the service. */
export function tablesOf(files: Map<string, string>): Map<string, string> {
  const tables = new Map<string, string>()
  for (const [path, source] of files) {
    const service = /^src\/services\/([^/]+)\/migrations\//.exec(path)?.[1]
    if (!service || isTest(path)) continue
    const creation = /create table (?:if not exists )?["`]?(\w+)|createTable\(\s*['"`](\w+)/gi
    for (const [, inSql, inCall] of source.matchAll(creation)) tables.set((inSql ?? inCall)!, service)
  }
  return tables
}

function tableComplaints(path: string, source: string, tables: Map<string, string>): string[] {
  if (!path.startsWith('src/') || isTest(path) || rules.wholeCloudFiles.includes(path) || tables.size === 0) return []
  const owner = /^src\/services\/([^/]+)\//.exec(path)?.[1]
  const complaints: string[] = []
  for (const [word] of withoutComments(source).matchAll(/\b[a-z]+_\w+\b/g)) {
    const service = tables.get(word)
    if (!service) continue
    if (owner !== service) complaints.push(`names ${word}, a table of ${service}: use its contract.ts`)
    else if (!rules.tableFiles.test(path)) complaints.push(`names table ${word}: only store.ts and migrations/ do`)
  }
  return [...new Set(complaints)]
}

function tablePrefixComplaints(tables: Map<string, string>): string[] {
  return [...tables]
    .filter(([table, service]) => !table.startsWith(`${service.replaceAll('-', '_')}_`))
    .map(([table, service]) => `src/services/${service}/migrations: table ${table} lacks the prefix of its service`)
}

/** Cycles among imports that run (types vanish, and `await import()` waits): each as the paths along it. */
export function cyclesOf(files: Map<string, string>): string[][] {
  const edges = new Map<string, string[]>()
  for (const [path, source] of files) {
    const targets = importsOf(source)
      .filter(entry => !entry.typeOnly && !entry.dynamic)
      .map(entry =>
        entry.specifier.startsWith('#kernel/')
          ? entry.specifier.replace('#kernel/', 'src/kernel/')
          : join(dirname(path), entry.specifier),
      )
    edges.set(
      path,
      targets.filter(target => files.has(target)),
    )
  }
  const cycles: string[][] = []
  const done = new Set<string>()
  function visit(path: string, trail: string[]) {
    const at = trail.indexOf(path)
    if (at >= 0) return void cycles.push([...trail.slice(at), path])
    if (done.has(path)) return
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return cycles
}

/** Everything that is wrong, one line each, `path: what`. */
export function complaintsAbout(files: Map<string, string>): string[] {
  const tables = tablesOf(files)
  const lines = tablePrefixComplaints(tables)
  for (const [path, source] of files) {
    const complaints = [
      ...nameComplaints(path),
      ...textComplaints(path, source),
      ...importsOf(source).map(entry => specifierComplaint(path, entry)),
      ...tableComplaints(path, source, tables),
    ]
    for (const complaint of complaints) if (complaint) lines.push(`${path}: ${complaint}`)
  }
  for (const cycle of cyclesOf(files)) lines.push(`${cycle[0]}: import cycle ${cycle.join(' -> ')}`)
  return lines
}
