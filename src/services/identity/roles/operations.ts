/** Roles: the five operations. Those of a domain are guarded by rules of their own. */
import type { Ctx } from '#kernel/context.ts'
import { Type } from '#kernel/schema/builders.ts'
import { applicationCredentials } from '../application-credentials/store.ts'
import { assignments } from '../assignments/store.ts'
import { notFound } from '../faults.ts'
import { immutableOption } from '../options.ts'
import { adminOrSystemReader, adminRequired, identityRule, systemOrProject } from '../policy.ts'
import { projects } from '../projects/store.ts'
import { resource } from '../resource.ts'
import { roleView } from './role.ts'
import { impliedRoles, type RoleRow, roles } from './store.ts'

export const roleResource = resource<RoleRow>({
  member: 'role',
  collection: 'roles',
  store: roles,
  attributes: {
    name: Type.String({ minLength: 1, maxLength: 255 }),
    domain_id: Type.Union([Type.String({ maxLength: 64 }), Type.Null()]),
    description: Type.Union([Type.String(), Type.Null()]),
    options: immutableOption,
  },
  required: ['name'],
  fixed: ['domain_id'],
  filters: ['name', 'domain_id'],
  policy: {
    get: `${adminOrSystemReader} or (role:manager and rule:domain_managed_target_role)`,
    list: `${adminOrSystemReader} or (role:manager and not domain_id:None)`,
    create: adminRequired,
    update: adminRequired,
    delete: adminRequired,
  },
  ownDomain: false,
  target: row => ({ 'target.role.name': row.name, 'target.role.domain_id': row.domain_id }),
  // Roles of domains are listed only when asked for.
  listed: (_ctx, query) => (query.domain_id === undefined ? { domain_id: null } : {}),
  view: roleView,
  duplicate: values =>
    values.domain_id
      ? `Duplicate entry found with name ${values.name} at domain ID ${values.domain_id}`
      : `Duplicate entry found with name ${values.name}`,

  async create(ctx, values, extra) {
    const domain_id = typeof values.domain_id === 'string' ? values.domain_id : null
    if (domain_id !== null && !(await projects.find(ctx.db, { id: domain_id, is_domain: true }))) {
      throw notFound('domain', domain_id)
    }
    const row: RoleRow = {
      description: null,
      options: {},
      ...(values as Partial<RoleRow>),
      id: ctx.ids.hex(),
      name: String(values.name),
      domain_id,
      extra,
    }
    await roles.insert(ctx.db, row)
    return row
  },

  async remove(ctx, { id }) {
    await assignments.remove(ctx.db, { role_id: id })
    await impliedRoles.remove(ctx.db, { prior_role_id: id })
    await impliedRoles.remove(ctx.db, { implied_role_id: id })
    await dropCredentialsWith(ctx, id)
  },
})

/** An application credential does not outlive a role that it was made with. */
async function dropCredentialsWith(ctx: Ctx, roleId: string): Promise<void> {
  const holding = (await applicationCredentials.list(ctx.db)).filter(one => one.role_ids.includes(roleId))
  await applicationCredentials.remove(ctx.db, { id: holding.map(one => one.id) })
}

/** Named apart so that an operator may open the roles of domains separately. */
export const domainRoleRules = [
  identityRule('get_domain_role', adminOrSystemReader, systemOrProject),
  identityRule('list_domain_roles', adminOrSystemReader, systemOrProject),
  identityRule('create_domain_role', adminRequired, systemOrProject),
  identityRule('update_domain_role', adminRequired, systemOrProject),
  identityRule('delete_domain_role', adminRequired, systemOrProject),
]
