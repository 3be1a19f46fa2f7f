/** `nephos policy list|check|sample`: the rules that decide who may do what, as this cloud's `policy.yaml` makes them. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '#kernel/config/sources.ts'
import { messageOf } from '#kernel/errors.ts'
import type { Credentials, Target } from '#kernel/policy/credentials.ts'
import { type Enforcer, enforcer, type RuleDescription } from '#kernel/policy/enforcer.ts'
import { readPolicyFile } from '#kernel/policy/policy-file.ts'
import type { Service } from '#kernel/service.ts'
import { rulesOf } from '../cloud.ts'
import { servicesOf } from './settings.ts'

export interface Access {
  roles: string[]
  user: string
  project: string | undefined
  domain: string | undefined
  system: boolean
  /** `name=value`; by default what is acted on is the caller's own. */
  target: string[]
}

/** The rules with the overrides of a data directory. Throws a ConfigError that says what is wrong with them. */
async function policyOf(data: string): Promise<Enforcer> {
  const rules = rulesOf(await servicesOf(data))
  const file = join(data, 'policy.yaml')
  try {
    return enforcer(rules, existsSync(file) ? readPolicyFile(file) : {})
  } catch (error) {
    throw new ConfigError([messageOf(error)])
  }
}

/** What each rule guards: `GET /identity/v3/users`, with the words of the operation. */
function guarded(services: readonly Service[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const service of services) {
    for (const { method, path, summary, policy } of service.operations) {
      if (typeof policy !== 'object') continue
      const lines = found.get(policy.name) ?? []
      lines.push(`${method} ${service.path}${path}: ${summary}`)
      found.set(policy.name, lines)
    }
  }
  return found
}

/** One line a rule: `*` for those that the file changes. */
export function listLines(rules: readonly RuleDescription[]): string[] {
  return rules.map(({ name, effective, overridden }) => `${overridden ? '*' : ' '} ${name}: ${effective || '@'}`)
}

/** A file that changes nothing: every rule with its default, commented out. */
export function sampleLines(rules: readonly RuleDescription[], guards: Map<string, string[]>): string[] {
  const head = [
    '# Who may do what. Every rule with its default: remove the # in front of one to change it.',
    '# It is read at a start, as policy.yaml in the data directory.',
  ]
  const body = rules
    .filter(rule => rule.default !== undefined)
    .flatMap(({ name, description, default: check, scopes, deprecated }) => [
      '',
      ...[description, ...(guards.get(name) ?? [])].filter(Boolean).map(line => `# ${line}`),
      ...(scopes.length > 0 ? [`# Scopes of token: ${scopes.join(', ')}`] : []),
      ...(deprecated ? [`# Called ${deprecated.name} before ${deprecated.since}; that name is still obeyed.`] : []),
      `#${JSON.stringify(name)}: ${JSON.stringify(check)}`,
    ])
  return [...head, ...body]
}

/** Roles with those that they imply in a new cloud. */
function withImplied(roles: readonly string[]): string[] {
  const order = ['admin', 'manager', 'member', 'reader']
  const implied = roles.flatMap(role => (order.includes(role) ? order.slice(order.indexOf(role)) : [role]))
  return [...new Set(implied)]
}

function credentialsOf({ roles, user, project, domain, system }: Access): Credentials {
  return {
    user_id: user,
    roles: withImplied(roles),
    ...(system ? { system_scope: 'all' } : domain !== undefined ? { domain_id: domain } : { project_id: project }),
  } as Credentials
}

function targetOf({ user, project, domain, target }: Access): Target {
  const said = target.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])
  return { user_id: user, project_id: project, domain_id: domain, ...Object.fromEntries(said) }
}

/** The rules that let this access through, and the others. */
export function judged(policy: Enforcer, names: readonly string[], access: Access): { name: string; may: boolean }[] {
  const [credentials, target] = [credentialsOf(access), targetOf(access)]
  return names.map(name => ({ name, may: policy.allows(name, credentials, target) }))
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`)
}

export async function policyList({ data, json }: { data: string; json: boolean }): Promise<number> {
  const rules = (await policyOf(data)).describe()
  print(json ? [JSON.stringify(rules, undefined, 2)] : listLines(rules))
  return 0
}

export async function policySample({ data }: { data: string }): Promise<number> {
  const services = await servicesOf(data)
  print(sampleLines(enforcer(rulesOf(services)).describe(), guarded(services)))
  return 0
}

/** Says what is wrong with the file; for an access, what it may do. Exit code 1 when it may not do the one thing asked for. */
export async function policyCheck(options: { data: string; rule: string | undefined } & Access): Promise<number> {
  const { data, rule, ...access } = options
  const policy = await policyOf(data)
  for (const warning of policy.warnings) console.error(warning)
  if (access.roles.length === 0) {
    if (policy.warnings.length === 0) print(['The rules are as they should be.'])
    return policy.warnings.length === 0 ? 0 : 1
  }
  const names = policy.describe().map(one => one.name)
  if (rule !== undefined && !names.includes(rule)) {
    throw new ConfigError([`No policy rule is named "${rule}": nephos policy list shows all.`])
  }
  const found = judged(policy, rule === undefined ? names : [rule], access)
  print(found.map(({ name, may }) => `${may ? 'allowed' : 'refused'} ${name}`))
  return rule === undefined || found[0]!.may ? 0 : 1
}
