/** The tree of a policy check, and its compilation to one function. */
import type { Credentials, Target } from './credentials.ts'

/** Text with `%(name)s` marks: constants and names in turn. */
export type Template = readonly (string | { readonly name: string })[]

export type Check =
  | { readonly type: 'always' }
  | { readonly type: 'never' }
  | { readonly type: 'and' | 'or'; readonly checks: readonly Check[] }
  | { readonly type: 'not'; readonly check: Check }
  | { readonly type: 'rule'; readonly name: string }
  | { readonly type: 'role'; readonly match: Template }
  /** `'x':%(y)s`, `None:%(z)s`: a constant against the target. */
  | { readonly type: 'literal'; readonly value: string; readonly match: Template }
  /** `user_id:%(user_id)s`: a member of the credentials, by path, against the target. */
  | { readonly type: 'credential'; readonly path: readonly string[]; readonly match: Template }
  /** Neutron's `field:networks:shared=True`: a member of the target against a constant, or `~` and a pattern. */
  | { readonly type: 'field'; readonly name: string; readonly value: string; readonly pattern?: RegExp }

export type Predicate = (credentials: Credentials, target: Target) => boolean

export function compile(check: Check, ruleNamed: (name: string) => Predicate): Predicate {
  switch (check.type) {
    case 'always':
      return () => true
    case 'never':
      return () => false
    case 'and': {
      const all = check.checks.map(one => compile(one, ruleNamed))
      return (credentials, target) => all.every(one => one(credentials, target))
    }
    case 'or': {
      const any = check.checks.map(one => compile(one, ruleNamed))
      return (credentials, target) => any.some(one => one(credentials, target))
    }
    case 'not': {
      const negated = compile(check.check, ruleNamed)
      return (credentials, target) => !negated(credentials, target)
    }
    case 'rule':
      return ruleNamed(check.name)
    case 'role': {
      const wanted = render(check.match)
      return (credentials, target) => hasRole(credentials.roles, wanted(target))
    }
    case 'literal': {
      const wanted = render(check.match)
      return (_, target) => wanted(target) === check.value
    }
    case 'credential':
      return compileCredential(check.path, check.match)
    case 'field':
      return compileField(check.name, check.value, check.pattern)
  }
}

function hasRole(roles: readonly string[], wanted: string | undefined): boolean {
  if (wanted === undefined) return false
  if (roles.includes(wanted)) return true
  const lower = wanted.toLowerCase()
  return roles.some(role => role.toLowerCase() === lower)
}

/**
 * A credential that is absent matches only a written-out `None`: upstream renders both sides as text, and there a token
 * without a project matches a row without one.
 */
function compileCredential(path: readonly string[], match: Template): Predicate {
  const wanted = render(match)
  const matchesAbsent = match.length === 1 && match[0] === 'None'
  return (credentials, target) => {
    const text = wanted(target)
    return text !== undefined && holds(credentials, path, 0, text, matchesAbsent)
  }
}

function holds(value: unknown, path: readonly string[], depth: number, text: string, matchesAbsent: boolean): boolean {
  if (Array.isArray(value) && depth > 0) return value.some(one => holds(one, path, depth, text, matchesAbsent))
  if (value === null || value === undefined) return matchesAbsent
  const key = path[depth]
  if (key === undefined) return textOf(value) === text
  return holds(member(value, key), path, depth + 1, text, matchesAbsent)
}

function compileField(name: string, wanted: string, pattern: RegExp | undefined): Predicate {
  return (_, target) => {
    const value = find(target, name)
    if (value === null || value === undefined) return false
    if (pattern) return pattern.test(textOf(value))
    if (typeof value === 'boolean') return String(value) === wanted.toLowerCase()
    return textOf(value) === wanted
  }
}

/** The text of a template, or undefined when the target lacks a name in it. */
function render(template: Template): (target: Target) => string | undefined {
  const [only] = template
  if (template.length === 0) return () => ''
  if (template.length === 1 && typeof only === 'string') return () => only
  if (template.length === 1 && typeof only === 'object') {
    return target => {
      const value = find(target, only.name)
      return value === undefined ? undefined : textOf(value)
    }
  }
  return target => {
    let text = ''
    for (const part of template) {
      const value = typeof part === 'string' ? part : find(target, part.name)
      if (value === undefined) return undefined
      text += textOf(value)
    }
    return text
  }
}

/** A value as the policy language compares it: Python's words for nothing and for truth. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function find(target: Target, name: string): unknown {
  const flat = member(target, name)
  if (flat !== undefined || !/[.:]/.test(name)) return flat
  let value: unknown = target
  for (const key of name.split(/[.:]/)) value = member(value, key)
  return value
}

/** An own member. `tenant_id` is the old name of `project_id`, on both sides of a check. */
function member(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (Object.hasOwn(value, key)) return (value as Record<string, unknown>)[key]
  return key === 'tenant_id' ? member(value, 'project_id') : undefined
}
