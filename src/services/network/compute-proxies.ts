/** Networks, floating IPs and security groups for compute's API, which had its own of each before networks were a service. */
import type { Ctx } from '#kernel/context.ts'
import type { AnyBuilder } from '#kernel/db/rows.ts'
import { BadRequest, Fault, NotFound, OverQuota } from '#kernel/errors.ts'
import { seesAll } from '#kernel/resource-access.ts'
import type { ComputeFloatingIp, ComputeSecurityGroup } from './contract.ts'
import { floatingIps as floatingIpResource } from './floating-ips/floating-ip.ts'
import { type FloatingIpRow, floatingIpRows } from './floating-ips/store.ts'
import { accessTo } from './networks/steps.ts'
import { type NetworkRow, networkRows, visibleNetworks } from './networks/store.ts'
import { portRows } from './ports/store.ts'
import { securityGroupRules } from './security-groups/rule.ts'
import { securityGroups as groupResource } from './security-groups/security-group.ts'
import { securityGroups } from './server-proxies.ts'

const byName = [
  { column: 'name', direction: 'asc' },
  { column: 'id', direction: 'asc' },
] as const

/** Networks that the caller sees: all of them, for who sees all. */
export async function networksSeen(ctx: Ctx): Promise<NetworkRow[]> {
  const seen = seesAll(ctx) ? {} : { also: (eb: AnyBuilder) => visibleNetworks(ctx, eb) }
  return networkRows.list(ctx.db, {}, { orderBy: [...byName], ...seen })
}

export async function networkSeen(ctx: Ctx, id: string): Promise<{ id: string; name: string } | undefined> {
  const row = await networkRows.find(ctx.db, { id })
  return row && (await accessTo(ctx, [row])).get(id)!.seen ? row : undefined
}

/** Networks that floating IPs come from; the default one first. */
export async function floatingIpPools(ctx: Ctx): Promise<{ id: string; name: string }[]> {
  const outside = (await networksSeen(ctx)).filter(row => row.external)
  return [...outside.filter(row => row.is_default), ...outside.filter(row => !row.is_default)]
}

/** The floating IPs of the caller's project, or one by its id. */
export async function floatingIps(ctx: Ctx, id?: string): Promise<ComputeFloatingIp[]> {
  const where = id === undefined ? { project_id: ctx.identity.project_id ?? '' } : { id }
  const rows = await floatingIpRows.list(ctx.db, where, {
    orderBy: [
      { column: 'created_at', direction: 'asc' },
      { column: 'id', direction: 'asc' },
    ],
  })
  const mine = rows.filter(row => row.project_id === ctx.identity.project_id || seesAll(ctx))
  const networks = await networkRows.list(ctx.db, { id: mine.map(row => row.floating_network_id) })
  const ports = await portRows.list(ctx.db, { id: mine.flatMap(row => row.fixed_port_id ?? []) })
  return mine.map(row => floatingIpView(row, networks, ports))
}

function floatingIpView(row: FloatingIpRow, networks: NetworkRow[], ports: { id: string; device_id: string }[]) {
  return {
    id: row.id,
    ip: row.floating_ip_address,
    fixed_ip: row.fixed_ip_address,
    pool: networks.find(network => network.id === row.floating_network_id)?.name || row.floating_network_id,
    instance_id: ports.find(port => port.id === row.fixed_port_id)?.device_id || null,
  }
}

/** Takes an address of a pool (a network's name or id), by default of the default one. */
export async function allocateFloatingIp(ctx: Ctx, pool: string | undefined): Promise<ComputeFloatingIp> {
  const network = (await floatingIpPools(ctx)).find(one => pool === undefined || one.id === pool || one.name === pool)
  if (!network) throw new NotFound('Floating IP pool not found.')
  const inPool = pool === undefined ? '' : ` in pool ${pool}`
  try {
    const body = { floating_network_id: network.id }
    const row = await ctx.transaction(tx => floatingIpResource.make(tx, body))
    return (await floatingIps(ctx, row.id))[0]!
  } catch (error) {
    if (error instanceof OverQuota) throw new OverQuota(`IP allocation over quota${inPool}.`, { cause: error })
    if (error instanceof Fault && error.type === 'IpAddressGenerationFailure')
      throw new NotFound(pool === undefined ? 'No more floating IPs available.' : `No more floating IPs${inPool}.`, {
        cause: error,
      })
    throw error
  }
}

/** Gives an address back, also one that leads to a server. */
export async function releaseFloatingIp(ctx: Ctx, id: string): Promise<void> {
  await ctx.transaction(async tx => {
    const row = await floatingIpResource.loadFor(tx, floatingIpResource.rules.delete, id)
    await floatingIpResource.spec.hooks.remove(tx, row)
  })
}

/** The codes that compute's API has for what is the network API's 409. */
async function asCompute<T>(conflict: (message: string) => Fault, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Fault && error.status === 409) throw conflict(error.message)
    throw error
  }
}

const tooMany = (message: string) => new OverQuota(message)
const wrong = (message: string) => new BadRequest(message)

const groupOf = async (ctx: Ctx, id: string) => (await securityGroups(ctx, { id }))[0]!

export function createSecurityGroup(
  ctx: Ctx,
  group: { name: string; description: string },
): Promise<ComputeSecurityGroup> {
  return asCompute(tooMany, () =>
    ctx.transaction(async tx => groupOf(tx, (await groupResource.make(tx, { ...group })).id)),
  )
}

export function updateSecurityGroup(
  ctx: Ctx,
  id: string,
  patch: { name: string; description: string },
): Promise<ComputeSecurityGroup> {
  return asCompute(wrong, () =>
    ctx.transaction(async tx => {
      const row = await groupResource.loadFor(tx, groupResource.rules.update, id)
      await groupResource.spec.hooks.update!(tx, row, patch)
      return groupOf(tx, id)
    }),
  )
}

export function deleteSecurityGroup(ctx: Ctx, id: string): Promise<void> {
  return asCompute(wrong, () =>
    ctx.transaction(async tx => {
      const row = await groupResource.loadFor(tx, groupResource.rules.delete, id)
      await groupResource.spec.hooks.remove(tx, row)
    }),
  )
}

export interface ComputeRule {
  parent_group_id: string
  group_id: string | null
  protocol: string | null
  /** -1 and null: any. */
  from_port: number | null
  to_port: number | null
  cidr: string | null
}

/** Lets something into a group. */
export async function createSecurityGroupRule(
  ctx: Ctx,
  rule: ComputeRule,
): Promise<ComputeSecurityGroup['rules'][number]> {
  const port = (value: number | null) => (value === -1 ? null : value)
  const body = {
    security_group_id: rule.parent_group_id,
    direction: 'ingress',
    ethertype: rule.cidr?.includes(':') ? 'IPv6' : 'IPv4',
    protocol: rule.protocol,
    port_range_min: port(rule.from_port),
    port_range_max: port(rule.to_port),
    remote_ip_prefix: rule.cidr,
    remote_group_id: rule.group_id,
  }
  return asCompute(tooMany, () =>
    ctx.transaction(async tx => {
      const { id } = await securityGroupRules.make(tx, body)
      return (await groupOf(tx, rule.parent_group_id)).rules.find(one => one.id === id)!
    }),
  )
}

export async function deleteSecurityGroupRule(ctx: Ctx, id: string): Promise<void> {
  await ctx.transaction(async tx => {
    const row = await securityGroupRules.loadFor(tx, securityGroupRules.rules.delete, id)
    await securityGroupRules.spec.hooks.remove(tx, row)
  })
}
