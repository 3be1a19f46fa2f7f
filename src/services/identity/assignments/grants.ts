/** Grants: a role to a user or group on a project, a domain or the system. One set of operations a path. */
import type { Ctx } from '#kernel/context.ts'
import { Forbidden, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { listOf, roleAnswer } from '../answers.ts'
import { applicationCredentials } from '../application-credentials/store.ts'
import { notFound } from '../faults.ts'
import { groups, memberships } from '../groups/store.ts'
import { collectionOf } from '../listing.ts'
import { adminOrSystemReader, adminRequired, allScopes, identityRule, systemOrProject } from '../policy.ts'
import { findDomain, findProject } from '../projects/project.ts'
import { identityChanged, revokeScope } from '../revocations/revocation.ts'
import { roleView } from '../roles/role.ts'
import { type RoleRow, roles } from '../roles/store.ts'
import { users } from '../users/store.ts'
import { revokeUserTokens } from '../users/user.ts'
import { type Assignment, assignments } from './store.ts'

/** A domain's reader or manager may act when the actor and the target are both of its domain. */
function within(role: string): string {
  const actors = ['user', 'group'].map(actor => `domain_id:%(target.${actor}.domain_id)s`).join(' or ')
  const targets = 'domain_id:%(target.project.domain_id)s or domain_id:%(target.domain.id)s'
  return `role:${role} and (${actors}) and (${targets})`
}
const ownRole = '(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)'
const check = `${adminOrSystemReader} or ((${within('reader')}) and ${ownRole})`
const list = `${adminOrSystemReader} or (${within('reader')})`
const change = `${adminRequired} or ((${within('admin')}) and ${ownRole}) or ((${within('manager')}) and rule:domain_managed_target_role)`

const rules = {
  check: identityRule('check_grant', check, allScopes),
  list: identityRule('list_grants', list, allScopes),
  create: identityRule('create_grant', change, allScopes),
  revoke: identityRule('revoke_grant', change, allScopes),
}

const systemRules = (actor: string) => ({
  check: identityRule(`check_system_grant_for_${actor}`, adminOrSystemReader, systemOrProject),
  list: identityRule(`list_system_grants_for_${actor}`, adminOrSystemReader, systemOrProject),
  create: identityRule(`create_system_grant_for_${actor}`, adminRequired, systemOrProject),
  revoke: identityRule(`revoke_system_grant_for_${actor}`, adminRequired, systemOrProject),
})

interface Place {
  actor: Assignment['actor_type']
  target: Assignment['target_type']
  inherited: boolean
}

type Params = Record<string, string>

interface Grant {
  row: Omit<Assignment, 'role_id'>
  role?: RoleRow
}

/** Finds everything that the path names: what is missing is a 404. */
async function loadGrant(ctx: Ctx, { actor, target, inherited }: Place, params: Params) {
  const actorId = params[`${actor}_id`]!
  const actorRow = await (actor === 'user' ? users : groups).find(ctx.db, { id: actorId })
  if (!actorRow) throw notFound(actor, actorId)
  const targetId = target === 'system' ? 'system' : params[`${target}_id`]!
  const policyTarget: Record<string, unknown> = { [`target.${actor}.domain_id`]: actorRow.domain_id }
  if (target === 'project') policyTarget['target.project.domain_id'] = (await findProject(ctx, targetId)).domain_id
  if (target === 'domain') policyTarget['target.domain.id'] = (await findDomain(ctx, targetId)).id
  const grant: Grant = {
    row: { actor_type: actor, actor_id: actorId, target_type: target, target_id: targetId, inherited },
  }
  if (params.role_id !== undefined) {
    const role = await roles.find(ctx.db, { id: params.role_id })
    if (!role) throw notFound('role', params.role_id)
    grant.role = role
    Object.assign(policyTarget, { 'target.role.name': role.name, 'target.role.domain_id': role.domain_id })
  }
  return { ...policyTarget, grant }
}

/** A role of a domain is only given within that domain. */
async function checkRoleDomain(ctx: Ctx, { row, role }: Grant): Promise<void> {
  if (!role?.domain_id) return
  const target = row.target_type === 'project' ? await findProject(ctx, row.target_id) : undefined
  if (target?.domain_id === role.domain_id) return
  if (row.target_type === 'domain' && row.target_id === role.domain_id) return
  throw new Forbidden(`Project ${row.target_id} must be in the same domain as the role ${role.id} being assigned.`)
}

async function give(ctx: Ctx, grant: Grant): Promise<void> {
  await checkRoleDomain(ctx, grant)
  const assignment = { ...grant.row, role_id: grant.role!.id }
  await ctx.transaction(async tx => {
    if (await assignments.insertNew(tx.db, assignment)) await identityChanged(tx)
  })
}

function noGrant({ row, role }: Grant): NotFound {
  return new NotFound(
    `Could not find role assignment with role: ${role!.id}, user or group: ${row.actor_id}, project, domain, or system: ${row.target_id}.`,
  )
}

/** Takes the role, and the tokens and application credentials that rest on it. */
async function take(ctx: Ctx, grant: Grant): Promise<void> {
  const { row, role } = grant
  await ctx.transaction(async tx => {
    if ((await assignments.remove(tx.db, { ...row, role_id: role!.id })) === 0) throw noGrant(grant)
    const actors =
      row.actor_type === 'user'
        ? [row.actor_id]
        : (await memberships.list(tx.db, { group_id: row.actor_id })).map(member => member.user_id)
    for (const userId of actors) {
      if (row.inherited) await revokeUserTokens(tx, userId)
      else if (row.target_type === 'system') await revokeScope(tx, userId, { type: 'system' })
      else await revokeScope(tx, userId, { type: row.target_type, id: row.target_id })
      if (row.target_type === 'project') {
        await applicationCredentials.remove(tx.db, { user_id: userId, project_id: row.target_id })
      }
    }
    await identityChanged(tx)
  })
}

function grantOperations(place: Place, base: string, suffix = '', withList = true): Operation[] {
  const own = place.target === 'system' ? systemRules(place.actor) : rules
  const id = `identity.grants.${place.target}_${place.actor}${place.inherited ? '_inherited' : ''}`
  const what = `a ${place.actor}'s role on ${place.target === 'system' ? 'the system' : `a ${place.target}`}${place.inherited ? ', for the projects below' : ''}`
  const path = `${base}/roles/{role_id}${suffix}`
  const load = (ctx: Ctx, { params }: { params: object }) => loadGrant(ctx, place, params as Params)
  const made = [
    operation({
      id: `${id}.create`,
      method: 'PUT',
      path,
      summary: `Give ${what}`,
      status: 204,
      policy: own.create,
      load,
      async handle(ctx, { target }) {
        await give(ctx, target.grant)
        return undefined
      },
    }),
    operation({
      id: `${id}.check`,
      method: 'GET',
      path,
      summary: `Check ${what}`,
      status: 204,
      policy: own.check,
      load,
      async handle(ctx, { target: { grant } }) {
        if (!(await assignments.find(ctx.db, { ...grant.row, role_id: grant.role!.id }))) throw noGrant(grant)
        return reply(undefined, { status: 204 })
      },
    }),
    operation({
      id: `${id}.revoke`,
      method: 'DELETE',
      path,
      summary: `Take ${what}`,
      policy: own.revoke,
      load,
      async handle(ctx, { target }) {
        await take(ctx, target.grant)
        return undefined
      },
    }),
  ]
  if (!withList) return made
  const listing = operation({
    id: `${id}.list`,
    method: 'GET',
    path: `${base}/roles${suffix}`,
    summary: `List ${what.replace("'s role", "'s roles")}`,
    response: listOf('roles', roleAnswer),
    policy: own.list,
    load,
    async handle(ctx, { target, url }) {
      const ids = (await assignments.list(ctx.db, { ...target.grant.row })).map(one => one.role_id)
      const found = await roles.list(ctx.db, { id: ids }, { orderBy: [{ column: 'id', direction: 'asc' }] })
      return { roles: found.map(role => roleView(ctx, role)), links: collectionOf(ctx, url) }
    },
  })
  return [...made, listing]
}

const actors = ['user', 'group'] as const

export const allGrantOperations: Operation[] = actors.flatMap(actor => {
  const of = `${actor}s/{${actor}_id}`
  const inheritedSuffix = '/inherited_to_projects'
  return [
    ...grantOperations({ actor, target: 'project', inherited: false }, `/v3/projects/{project_id}/${of}`),
    ...grantOperations({ actor, target: 'domain', inherited: false }, `/v3/domains/{domain_id}/${of}`),
    ...grantOperations({ actor, target: 'system', inherited: false }, `/v3/system/${of}`),
    ...grantOperations(
      { actor, target: 'project', inherited: true },
      `/v3/OS-INHERIT/projects/{project_id}/${of}`,
      inheritedSuffix,
      false,
    ),
    ...grantOperations(
      { actor, target: 'domain', inherited: true },
      `/v3/OS-INHERIT/domains/{domain_id}/${of}`,
      inheritedSuffix,
    ),
  ]
})
