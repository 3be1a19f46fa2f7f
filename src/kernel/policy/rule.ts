/** A policy rule: a value placed beside the operation it guards, and the personas that most rules are made of. */
import type { Scope } from './credentials.ts'

/** A check as it is written: text, or the old list form (the outer list is "or", an inner one "and"). */
export type CheckSource = string | readonly (string | readonly string[])[]

export interface RuleOptions {
  description?: string
  /** Scopes of token that may use it at all; any, when absent. */
  scopes?: readonly Scope[]
  /** A former name: an override that still uses it is obeyed, with a warning. */
  deprecated?: { name: string; since: string }
}

export interface Rule extends RuleOptions {
  /** As upstream names it, such as `os_compute_api:servers:show`. */
  readonly name: string
  /** The default. `policy.yaml` may override it. */
  readonly check: CheckSource
}

export function rule(name: string, check: CheckSource, options: RuleOptions = {}): Rule {
  return { name, check, ...options }
}

/** The named personas. Every enforcer has them, so one override of `context_is_admin` changes every rule made of it. */
export const personas: readonly Rule[] = [
  rule('context_is_admin', 'role:admin', { description: 'Operators of the cloud.' }),
  rule('project_reader_api', 'role:reader and project_id:%(project_id)s', { description: 'May look in its project.' }),
  rule('project_member_api', 'role:member and project_id:%(project_id)s', {
    description: 'May use and change what is in its project.',
  }),
  rule('project_manager_api', 'role:manager and project_id:%(project_id)s', {
    description: 'May also do the privileged work of its project.',
  }),
  rule('project_reader_or_admin', 'rule:project_reader_api or rule:context_is_admin'),
  rule('project_member_or_admin', 'rule:project_member_api or rule:context_is_admin'),
  rule('project_manager_or_admin', 'rule:project_manager_api or rule:context_is_admin'),
  rule('service_api', 'role:service', { description: 'Another service of the cloud.' }),
]

export const admin = 'rule:context_is_admin'
export const projectReader = 'rule:project_reader_api'
export const projectMember = 'rule:project_member_api'
export const projectManager = 'rule:project_manager_api'
export const projectReaderOrAdmin = 'rule:project_reader_or_admin'
export const projectMemberOrAdmin = 'rule:project_member_or_admin'
export const projectManagerOrAdmin = 'rule:project_manager_or_admin'
export const service = 'rule:service_api'
export const adminOrService = 'rule:context_is_admin or rule:service_api'
/** Anyone of the project, whatever the role. */
export const projectOwner = 'project_id:%(project_id)s'
/** The user itself (key pairs, passwords, application credentials). */
export const userOwner = 'user_id:%(user_id)s'
export const systemReader = 'role:reader and system_scope:all'
export const systemAdmin = 'role:admin and system_scope:all'
export const anyone = '@'
export const nobody = '!'
