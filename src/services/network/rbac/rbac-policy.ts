/** RBAC policies: a network is given to some projects, or to all. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { Conflict } from '#kernel/errors.ts'
import { type Resource, resource } from '#kernel/resource.ts'
import { seesAll } from '#kernel/resource-access.ts'
import { id, text } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { standardMembers, touch } from '#kernel/standard-row.ts'
import { invalidInput } from '../errors.ts'
import { networks } from '../networks/network.ts'
import { type NetworkRow, networkRows } from '../networks/store.ts'
import { admin, projectMember, projectReader } from '../policy.ts'
import { portRows } from '../ports/store.ts'
import { reserve } from '../quotas/quota.ts'
import { routerRows } from '../routers/store.ts'
import { type RbacAction, type RbacPolicyRow, rbacRows } from './store.ts'

const notEveryone = `${admin} or not field:rbac_policy:target_tenant=*`
const actions = ['access_as_shared', 'access_as_external']

function readType(value: unknown): unknown {
  const type = typeof value === 'string' ? value.trim().toLowerCase() : value
  if (type === 'network') return type
  throw invalidInput(`'${String(value).slice(0, 255)}' is not a valid RBAC object type`)
}

export const rbacPolicies: Resource<RbacPolicyRow> = resource<RbacPolicyRow>({
  path: '/v2.0/rbac-policies',
  collection: 'rbac_policies',
  member: 'rbac_policy',
  notFound: { type: 'RbacPolicyNotFound', message: id => `RBAC policy of type network with ID ${id} not found` },
  store: rbacRows,
  policy: {
    create: `${admin} or ${projectMember}`,
    show: `${admin} or ${projectReader}`,
    update: `${admin} or ${projectMember}`,
    delete: `${admin} or ${projectMember}`,
  },
  attributes: {
    object_type: { schema: Type.String(), create: true, required: true, convert: readType },
    object_id: id({ create: true, required: true }),
    target_tenant: text(255, { create: notEveryone, update: notEveryone, required: true }),
    action: text(255, { create: true, required: true }),
  },
  hooks: {
    create: createPolicy,
    update: updatePolicy,
    async remove(ctx, row) {
      const network = await lockedNetwork(ctx, row.object_id)
      await checkUnused(ctx, row, network)
      await rbacRows.remove(ctx.db, { id: row.id })
      await mirror(ctx, network)
    },
  },
})

async function lockedNetwork(ctx: Ctx, id: string): Promise<NetworkRow> {
  await lock(ctx.db, ctx.database.engine, `networks:${id}`)
  return (await networkRows.find(ctx.db, { id }))!
}

async function createPolicy(ctx: Ctx, values: Record<string, unknown>): Promise<RbacPolicyRow> {
  const { object_id, action, target_tenant } = values as unknown as RbacPolicyRow
  if (!actions.includes(action))
    throw invalidInput(
      `Invalid action '${action}' for object type 'network'. Valid actions: ${actions.map(one => `'${one}'`).join(', ')}`,
    )
  const { project_id } = await networks.load(ctx, object_id)
  if (project_id !== ctx.identity.project_id && !seesAll(ctx))
    throw invalidInput('Only admins can manipulate policies on networks they do not own')
  await reserve(ctx, values.project_id as string, 'rbac_policy')
  const network = await lockedNetwork(ctx, object_id)
  const row: RbacPolicyRow = {
    ...standardMembers(ctx, values),
    object_type: 'network',
    object_id,
    action,
    target_tenant,
  }
  await checkOnce(ctx, row)
  await rbacRows.insert(ctx.db, row)
  await mirror(ctx, network)
  return row
}

async function checkOnce(ctx: Ctx, { id, object_id, action, target_tenant }: RbacPolicyRow): Promise<void> {
  const same = await rbacRows.find(ctx.db, { object_id, action, target_tenant })
  if (same && same.id !== id)
    throw new Conflict('An RBAC policy already exists with those values.', { type: 'DuplicateRbacPolicy' })
}

async function updatePolicy(ctx: Ctx, row: RbacPolicyRow, patch: Record<string, unknown>): Promise<RbacPolicyRow> {
  const next = { ...row, ...patch }
  const network = await lockedNetwork(ctx, row.object_id)
  if (next.target_tenant !== row.target_tenant) {
    await checkUnused(ctx, row, network, next.target_tenant)
    await checkOnce(ctx, next)
  }
  const changed = await touch(ctx, rbacRows, row, patch as Partial<RbacPolicyRow>)
  await mirror(ctx, network)
  return changed
}

/** The network's own members say what everyone may do, and whether it leads outside at all. */
async function mirror(ctx: Ctx, network: NetworkRow): Promise<void> {
  const grants = await rbacRows.list(ctx.db, { object_id: network.id })
  const external = grants.some(grant => grant.action === 'access_as_external')
  const shared = grants.some(grant => grant.action === 'access_as_shared' && grant.target_tenant === '*')
  if (external !== network.external || shared !== network.shared)
    await touch(ctx, networkRows, network, { external, shared })
}

const inUse = (network: NetworkRow, details: string) =>
  new Conflict(
    `RBAC policy on object ${network.id} cannot be removed because other objects depend on it.\nDetails: ${details}`,
    { type: 'RbacPolicyInUse' },
  )

/** Whoever would lose the network must not be on it. `instead` is whom the grant goes to. */
async function checkUnused(ctx: Ctx, row: RbacPolicyRow, network: NetworkRow, instead?: string): Promise<void> {
  const { action, target_tenant } = row
  if (target_tenant === network.project_id) return
  const others = (await rbacRows.list(ctx.db, { object_id: network.id, action })).filter(one => one.id !== row.id)
  const left = new Set([network.project_id, ...others.map(one => one.target_tenant), ...(instead ? [instead] : [])])
  if (left.has('*')) return
  const losing = (projectId: string) => (target_tenant === '*' || projectId === target_tenant) && !left.has(projectId)
  const users = await usersOf(ctx, action, network)
  if (action === 'access_as_external' && target_tenant === '*' && network.is_default)
    throw inUse(network, 'Default external networks must be shared to everyone.')
  if (!users.some(losing)) return
  throw action === 'access_as_external'
    ? inUse(network, 'There are routers attached to this network that depend on this policy for access.')
    : inUse(
        network,
        `Unable to reconfigure sharing settings for network ${network.id}. Multiple projects are using it.`,
      )
}

/** The projects that are on the network in the way that the action allows. */
async function usersOf(ctx: Ctx, action: RbacAction, network: NetworkRow): Promise<string[]> {
  if (action === 'access_as_external')
    return (await routerRows.list(ctx.db, { gateway_network_id: network.id })).map(router => router.project_id)
  const ports = await portRows.list(ctx.db, { network_id: network.id, project_id: { op: 'not in', value: [''] } })
  return ports.filter(port => !port.device_owner.startsWith('network:')).map(port => port.project_id)
}
