/** Decides whether credentials may do what a rule guards: defaults from code, overrides from the operator. */
import { didYouMean } from '../near-miss.ts'
import { compile, type Predicate } from './check.ts'
import { type Credentials, scopeOf, type Target } from './credentials.ts'
import { parseCheck } from './parser.ts'
import { type CheckSource, personas, type Rule } from './rule.ts'

export interface RuleDescription {
  name: string
  description: string
  /** Absent for a rule that the operator's file adds. */
  default: string | undefined
  effective: string
  overridden: boolean
  scopes: readonly string[]
  /** Its former name, and the release that changed it. */
  deprecated?: { name: string; since: string }
}

export interface Enforcer {
  /** Whether the rule's check holds and the token's scope is one that the rule takes. Throws for an unknown rule. */
  allows(name: string, credentials: Credentials, target?: Target): boolean
  /** Every rule, by name: for `nephos policy list`. */
  describe(): RuleDescription[]
  /** Problems of the overrides that do not stop the cloud; to be logged at start. */
  readonly warnings: readonly string[]
}

/**
 * Overrides are read whole at once, and every `rule:` reference is followed, so a broken one fails at start; the checks of
 * the defaults are parsed when first asked for.
 */
export function enforcer(rules: readonly Rule[], overrides: Readonly<Record<string, CheckSource>> = {}): Enforcer {
  const registered = register(rules)
  const { effective, warnings } = applyOverrides(registered, overrides)
  for (const name of Object.keys(overrides)) parseCheck(name, overrides[name]!)
  warnings.push(...unusedNames(registered, effective))
  checkReferences(effective)

  const predicates = new Map<string, Predicate>()
  function predicateOf(name: string): Predicate {
    const known = predicates.get(name)
    if (known) return known
    const source = effective.get(name)
    if (source === undefined) throw new Error(`No policy rule is named "${name}".${didYouMean(name, effective.keys())}`)
    const predicate = compile(parseCheck(name, source), predicateOf)
    predicates.set(name, predicate)
    return predicate
  }

  return {
    warnings,
    allows(name, credentials, target = {}) {
      const predicate = predicateOf(name)
      const scopes = registered.get(name)?.scopes
      if (scopes && !scopes.includes(scopeOf(credentials))) return false
      return predicate(credentials, target)
    },
    describe: () =>
      [...effective].map(([name, source]) => describeRule(name, source, registered.get(name))).sort(byName),
  }
}

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)

function describeRule(name: string, source: CheckSource, rule: Rule | undefined): RuleDescription {
  return {
    name,
    description: rule?.description ?? '',
    default: rule && sourceText(rule.check),
    effective: sourceText(source),
    overridden: source !== rule?.check,
    scopes: rule?.scopes ?? [],
    ...(rule?.deprecated && { deprecated: rule.deprecated }),
  }
}

const sourceText = (source: CheckSource): string => (typeof source === 'string' ? source : JSON.stringify(source))

/** Rules by name. Operations may share a rule, but not one name with two meanings. */
function register(rules: readonly Rule[]): Map<string, Rule> {
  const byName = new Map(personas.map(rule => [rule.name, rule]))
  for (const rule of rules) {
    const other = byName.get(rule.name)
    if (other && sourceText(other.check) !== sourceText(rule.check)) {
      throw new Error(
        `Two policy rules are named "${rule.name}": ${sourceText(other.check)} and ${sourceText(rule.check)}.`,
      )
    }
    byName.set(rule.name, rule)
  }
  return byName
}

function applyOverrides(registered: Map<string, Rule>, overrides: Readonly<Record<string, CheckSource>>) {
  const warnings: string[] = []
  const effective = new Map([...registered].map(([name, rule]): [string, CheckSource] => [name, rule.check]))
  const renamed = new Map([...registered.values()].map(rule => [rule.deprecated?.name, rule]))
  for (const [name, source] of Object.entries(overrides)) {
    const successor = registered.has(name) ? undefined : renamed.get(name)
    if (successor) {
      warnings.push(
        `Policy rule "${name}" has been called "${successor.name}" since ${successor.deprecated?.since}: rename it.`,
      )
      if (!Object.hasOwn(overrides, successor.name)) effective.set(successor.name, source)
    }
    effective.set(name, source)
  }
  return { effective, warnings }
}

/** An operator may add rules for use in others; one that is neither known nor used is most likely a slip. */
function unusedNames(registered: Map<string, Rule>, effective: Map<string, CheckSource>): string[] {
  const used = new Set([...effective.values()].flatMap(references))
  const former = new Set([...registered.values()].map(rule => rule.deprecated?.name))
  return [...effective.keys()]
    .filter(name => !registered.has(name) && !used.has(name) && !former.has(name))
    .map(name => `Policy rule "${name}" is unknown and has no effect.${didYouMean(name, registered.keys())}`)
}

/** Names after `rule:`, found without a full parse: there are thousands of defaults and start-up is short. */
export function references(source: CheckSource): string[] {
  const text = typeof source === 'string' ? source : source.flat().join(' ')
  if (!text.includes('rule:')) return []
  return [...text.matchAll(/(?:^|[\s(])rule:([^\s]+?)(?=\)*(?:\s|$))/g)].map(found => found[1]!)
}

/** Fails on a reference to a rule that does not exist and on rules that refer to themselves, however far around. */
function checkReferences(effective: Map<string, CheckSource>): void {
  const done = new Set<string>()
  function visit(name: string, path: readonly string[]): void {
    if (done.has(name)) return
    if (path.includes(name)) {
      const cycle = [...path.slice(path.indexOf(name)), name].join(' -> ')
      throw new Error(`Policy rules refer to each other in a circle: ${cycle}. Change one of them.`)
    }
    for (const next of references(effective.get(name)!)) {
      if (!effective.has(next)) {
        throw new Error(`Policy rule "${name}" refers to unknown rule:${next}.${didYouMean(next, effective.keys())}`)
      }
      visit(next, [...path, name])
    }
    done.add(name)
  }
  for (const name of effective.keys()) visit(name, [])
}
