/** The words that identity's policy rules are made of; names and defaults are those of upstream. */
import type { Scope } from '#kernel/policy/credentials.ts'
import { admin, type Rule, rule } from '#kernel/policy/rule.ts'

export const allScopes: readonly Scope[] = ['system', 'domain', 'project']
export const systemOrProject: readonly Scope[] = ['system', 'project']

export const adminRequired = 'rule:admin_required'
export const owner = 'rule:owner'
export const systemReader = '(role:reader and system_scope:all)'
export const adminOrSystemReader = `rule:admin_required or ${systemReader}`

/** The policy of a resource that operators make, and that only they look at. */
export const ofOperators = {
  get: adminOrSystemReader,
  list: adminOrSystemReader,
  create: adminRequired,
  update: adminRequired,
  delete: adminRequired,
  scopes: systemOrProject,
}

/** Rules that others refer to. */
export const baseRules: readonly Rule[] = [
  rule('admin_required', admin),
  rule('service_role', 'role:service'),
  rule('service_or_admin', 'rule:admin_required or rule:service_role'),
  rule('owner', 'user_id:%(user_id)s'),
  rule(
    'domain_managed_target_role',
    "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",
    { description: 'Roles that the manager of a domain may assign.' },
  ),
]

/** `identity:<name>`; without scopes any token may use it. */
export function identityRule(name: string, check: string, scopes?: readonly Scope[]): Rule {
  return rule(`identity:${name}`, check, scopes ? { scopes } : {})
}
