/** The rules by which what an identity provider says of somebody becomes a user, groups and projects here. Pure. */
import { BadRequest } from '#kernel/errors.ts'
import { found } from './expressions.ts'

export interface DomainName {
  id?: string
  name?: string
}

export type Requirement = { type: string; regex?: boolean } & {
  [K in 'any_one_of' | 'not_any_of' | 'blacklist' | 'whitelist']?: string[]
}

export interface MappedProject {
  name: string
  roles: { name: string }[]
  domain?: DomainName
}

export interface Local {
  user?: { id?: string; name?: string; email?: string; type?: 'ephemeral' | 'local'; domain?: DomainName }
  group?: { id?: string; name?: string; domain?: DomainName }
  /** Names of several groups, of `domain`. */
  groups?: string
  group_ids?: string
  domain?: DomainName
  projects?: MappedProject[]
  /** Version 3: more projects, from values that are JSON. */
  projects_json?: string
}

export interface MappingRule {
  local: Local[]
  remote: Requirement[]
}

export interface MappedGroup {
  name: string
  domain: DomainName
}

/** Who somebody is here. */
export interface Mapped {
  user: NonNullable<Local['user']> & { type: 'ephemeral' | 'local' }
  group_ids: string[]
  group_names: MappedGroup[]
  projects: MappedProject[]
}

/** What is said of somebody: each attribute's values. */
export type Assertion = Readonly<Record<string, readonly string[]>>

/** An assertion as text, several values of an attribute with `;` between them. */
export function assertionOf(attributes: Readonly<Record<string, unknown>>): Assertion {
  const texts = Object.entries(attributes).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return Object.fromEntries(texts.map(([name, text]) => [name, text.split(';')]))
}

/** The values that one of the patterns is, or as a regular expression is found in. */
function matches(values: readonly string[], patterns: readonly string[], regex: boolean): string[] {
  return regex ? found(values, patterns, 'u') : values.filter(value => patterns.includes(value))
}

/**
 * The values that `{0}`, `{1}` … of the local part stand for, when the assertion meets all requirements. Those with `any_one_of` and
 * `not_any_of` only decide and count for no number.
 */
function directMaps(remote: readonly Requirement[], assertion: Assertion): string[][] | undefined {
  const maps: string[][] = []
  for (const { type, regex = false, any_one_of, not_any_of, blacklist, whitelist } of remote) {
    const values = Object.hasOwn(assertion, type) ? assertion[type]! : []
    if (values.length === 0) return undefined
    if (any_one_of) {
      if (matches(values, any_one_of, regex).length === 0) return undefined
    } else if (not_any_of) {
      if (matches(values, not_any_of, regex).length > 0) return undefined
    } else if (blacklist) {
      const out = matches(values, blacklist, regex)
      maps.push(values.filter(value => !out.includes(value)))
    } else maps.push(whitelist ? matches(values, whitelist, regex) : [...values])
  }
  return maps
}

function valuesAt(maps: readonly string[][], mark: string): string[] {
  const values = maps[Number(mark)]
  if (!values) {
    throw new BadRequest(
      `Local section in mapping refers to a remote match that doesn't exist (e.g. {0} in a local section): {${mark}}.`,
    )
  }
  return values
}

/** A text with its marks filled in; of several values all, with `, ` between them. */
function filled(text: string, maps: readonly string[][]): string {
  return text.replace(/\{(\d+)\}/g, (_all, mark: string) => valuesAt(maps, mark).join(', '))
}

/** Several values from one text: of a mark alone all of its values, whatever characters are in them. */
function several(text: string, maps: readonly string[][]): string[] {
  const [, mark] = /^\{(\d+)\}$/.exec(text) ?? []
  return mark === undefined ? [filled(text, maps)] : valuesAt(maps, mark)
}

function fill<T>(value: T, maps: readonly string[][]): T {
  if (typeof value === 'string') return filled(value, maps) as T
  if (Array.isArray(value)) return value.map(item => fill(item, maps)) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, maps)])) as T
}

interface Filled extends Omit<Local, 'groups' | 'group_ids' | 'projects_json'> {
  groups?: string[]
  group_ids?: string[]
}

const isText = (value: unknown) => typeof value === 'string'

function isProject(value: unknown): value is MappedProject {
  const { name, roles, domain } = (value ?? {}) as Partial<MappedProject>
  const placed = domain === undefined || isText(domain?.id) || isText(domain?.name)
  return isText(name) && Array.isArray(roles) && roles.every(role => isText(role?.name)) && placed
}

/** Projects as the identity provider writes them: `[{"name": …, "roles": [{"name": …}], "domain": {"name": …}}]`, or one by one. */
function toldProjects(text: string): MappedProject[] {
  let told: unknown
  try {
    told = JSON.parse(text)
  } catch {
    throw new BadRequest('What projects_json refers to is not JSON.')
  }
  const projects = [told].flat()
  if (!projects.every(isProject)) throw new BadRequest('What projects_json refers to are not projects with roles.')
  return projects
}

function fillLocal({ groups, group_ids, projects_json, ...rest }: Local, maps: readonly string[][]): Filled {
  const filledIn = fill(rest, maps)
  const told = projects_json === undefined ? undefined : several(projects_json, maps).flatMap(toldProjects)
  return {
    ...filledIn,
    ...(told && { projects: [...(filledIn.projects ?? []), ...told] }),
    ...(groups !== undefined && { groups: several(groups, maps) }),
    ...(group_ids !== undefined && { group_ids: several(group_ids, maps) }),
  }
}

/** A group with its domain in one value, as another Keystone tells of them: `JSON:{"name": …, "domain": {"name": …}}`. */
function toldGroup(value: string): MappedGroup | undefined {
  if (!value.startsWith('JSON:')) return undefined
  try {
    const { name, domain } = JSON.parse(value.slice('JSON:'.length)) as Partial<MappedGroup>
    const where = domain?.id ?? domain?.name
    return typeof name === 'string' && typeof where === 'string' ? { name, domain: domain! } : undefined
  } catch {
    return undefined
  }
}

/** Where the rule names the domain, no value can name another. */
function groupsOf({ groups = [], domain }: Filled): MappedGroup[] {
  if (groups.length === 0) return []
  const told = domain ? [] : groups.map(toldGroup)
  if (!domain && told.every(group => group !== undefined)) return told
  if (!domain) throw new BadRequest("Invalid rule: Both 'groups' and 'domain' keywords must be specified.")
  return groups.map(name => ({ name, domain }))
}

const sameGroup = (a: MappedGroup, b: MappedGroup) =>
  a.name === b.name && a.domain.id === b.domain.id && a.domain.name === b.domain.name

const distinct = (groups: MappedGroup[]) =>
  groups.filter((group, i) => groups.findIndex(other => sameGroup(group, other)) === i)

/** Version 2 of the rules: `domain` beside them is that of users and projects that name none. */
function withDomain(local: Filled): Filled {
  const { domain, user, projects } = local
  if (!domain) return local
  return {
    ...local,
    ...(user && { user: { domain, ...user } }),
    ...(projects && { projects: projects.map(project => ({ domain, ...project })) }),
  }
}

/** Applies all rules that the assertion meets. The first user counts; groups add up; the last projects count. */
export function applyRules(rules: readonly MappingRule[], assertion: Assertion, version = '1.0'): Mapped {
  const met = rules.flatMap(({ local, remote }) => {
    const maps = directMaps(remote, assertion)
    return maps ? local.map(one => fillLocal(one, maps)) : []
  })
  if (met.length === 0) {
    throw new BadRequest(
      'Could not map any federated user properties to identity values. Check debug logs or the mapping used for additional details.',
    )
  }
  const locals = version === '1.0' ? met : met.map(withDomain)
  const user = locals.find(local => local.user)?.user ?? {}
  const named = locals.flatMap(({ group }) =>
    group?.id === undefined && group?.name !== undefined && group.domain
      ? [{ name: group.name, domain: group.domain }]
      : [],
  )
  const ids = locals.flatMap(({ group, group_ids = [] }) =>
    group?.id === undefined ? group_ids : [group.id, ...group_ids],
  )
  return {
    user: { ...user, type: user.type ?? 'ephemeral' },
    group_ids: [...new Set(ids)],
    group_names: distinct([...named, ...locals.flatMap(groupsOf)]),
    projects: locals.findLast(local => local.projects)?.projects ?? [],
  }
}
