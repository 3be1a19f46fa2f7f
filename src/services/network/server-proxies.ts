/** Security groups and floating IPs in the words of compute's API, which had its own before networks were a service. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Fault, NotFound } from '#kernel/errors.ts'
import { seesAll } from '#kernel/resource-access.ts'
import type { ComputeSecurityGroup } from './contract.ts'
import { updateFloatingIp } from './floating-ips/floating-ip.ts'
import { disassociate } from './floating-ips/steps.ts'
import { type FloatingIpRow, floatingIpRows } from './floating-ips/store.ts'
import { setAddresses } from './ports/steps.ts'
import { allocationsOf } from './ports/store.ts'
import { defaultGroup } from './security-groups/steps.ts'
import { groupRows, ruleRows, type SecurityGroupRow, type SecurityGroupRuleRow } from './security-groups/store.ts'
import { serverPortRows, serverPorts } from './server-view.ts'
import { subnetsOf } from './subnets/store.ts'

/** A project's groups, all of them without a project, or those that a server's ports are in. */
export async function securityGroups(
  ctx: Ctx,
  of: { project_id?: string; server_id?: string; id?: string },
): Promise<ComputeSecurityGroup[]> {
  if (of.project_id !== undefined) await defaultGroup(ctx, of.project_id)
  const ids = of.server_id === undefined ? of.id : await groupsOfServer(ctx, of.server_id)
  const byName = [
    { column: 'project_id', direction: 'asc' },
    { column: 'name', direction: 'asc' },
    { column: 'id', direction: 'asc' },
  ] as const
  const groups = await groupRows.list(ctx.db, { id: ids, project_id: of.project_id }, { orderBy: [...byName] })
  const rules = await ruleRows.list(
    ctx.db,
    { security_group_id: groups.map(group => group.id), direction: 'ingress' },
    { orderBy: [{ column: 'id', direction: 'asc' }] },
  )
  const sources = await groupRows.list(ctx.db, { id: rules.flatMap(rule => rule.remote_group_id ?? []) })
  const named = new Map(sources.map(group => [group.id, group]))
  return groups.map(({ id, name, description, project_id }) => ({
    id,
    name,
    description,
    tenant_id: project_id,
    rules: rules.filter(rule => rule.security_group_id === id).map(rule => ruleView(rule, named)),
  }))
}

async function groupsOfServer(ctx: Ctx, id: string): Promise<string[]> {
  const ports = (await serverPorts(ctx, [id])).get(id) ?? []
  return [...new Set(ports.flatMap(port => port.security_groups.map(group => group.id)))]
}

function ruleView(rule: SecurityGroupRuleRow, named: Map<string, SecurityGroupRow>) {
  const source = rule.remote_group_id === null ? undefined : named.get(rule.remote_group_id)
  const [from_port, to_port] = portsOf(rule)
  return {
    id: rule.id,
    parent_group_id: rule.security_group_id,
    ip_protocol: rule.protocol,
    from_port,
    to_port,
    group: source ? { name: source.name, tenant_id: source.project_id } : {},
    ip_range: source ? {} : { cidr: rule.remote_ip_prefix ?? (rule.ethertype === 'IPv6' ? '::/0' : '0.0.0.0/0') },
  }
}

/** A rule for all ports of a protocol had them spelt out. */
function portsOf({ protocol, port_range_min, port_range_max }: SecurityGroupRuleRow): [number | null, number | null] {
  if (protocol === null || port_range_min !== null || port_range_max !== null) return [port_range_min, port_range_max]
  return ['tcp', 'udp'].includes(protocol) ? [1, 65_535] : [-1, -1]
}

async function ipAt(ctx: Ctx, address: string): Promise<FloatingIpRow> {
  const found = await floatingIpRows.list(ctx.db, { floating_ip_address: address })
  const ip = found.find(one => one.project_id === ctx.identity.project_id || seesAll(ctx))
  if (!ip) throw new NotFound('floating IP not found')
  return ip
}

/** One address more for a server, on its first port in the network where a subnet has room. */
export async function addFixedIp(ctx: Ctx, serverId: string, networkId: string): Promise<void> {
  const gone = new NotFound(`Network could not be found for instance ${serverId}.`)
  await ctx.transaction(async tx => {
    const ports = (await serverPortRows(tx, [serverId])).filter(port => port.network_id === networkId)
    const subnets = await subnetsOf(tx.db, [networkId])
    for (const port of ports) {
      const had = (await allocationsOf(tx.db, [port.id])).get(port.id)!
      const addresses = had.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address }))
      for (const { id: subnet_id } of subnets) {
        try {
          return await setAddresses(tx, port, [...addresses, { subnet_id }])
        } catch (error) {
          // Nothing was written: addresses are chosen first. Another subnet may have room.
          if (!(error instanceof Fault)) throw error
        }
      }
    }
    throw gone
  })
}

export async function removeFixedIp(ctx: Ctx, serverId: string, address: string): Promise<void> {
  await ctx.transaction(async tx => {
    const ports = await serverPortRows(tx, [serverId])
    const ids = ports.map(port => port.id)
    const all = await allocationsOf(tx.db, ids)
    const port = ports.find(one => all.get(one.id)!.some(({ ip_address }) => ip_address === address))
    if (!port) throw new BadRequest(`Fixed IP ${address} not found for instance ${serverId}`)
    const left = all.get(port.id)!.filter(({ ip_address }) => ip_address !== address)
    await setAddresses(
      tx,
      port,
      left.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
    )
  })
}

/** Leads an outside address to one of a server's: the given one, or its first of IPv4. */
export async function addFloatingIp(ctx: Ctx, serverId: string, address: string, fixed?: string): Promise<void> {
  await ctx.transaction(async tx => {
    const ports = (await serverPorts(tx, [serverId])).get(serverId) ?? []
    const all = ports.flatMap(port => port.fixed_ips.map(ip => ({ ...ip, port_id: port.id })))
    if (all.length === 0) throw new BadRequest('No fixed IPs associated to instance')
    const wanted = all.find(ip => (fixed === undefined ? ip.version === 4 : ip.ip_address === fixed))
    if (!wanted) {
      throw new BadRequest(
        fixed === undefined
          ? `Unable to associate floating IP ${address} to any fixed IPs for instance ${serverId}. Instance has no fixed IPv4 addresses to associate.`
          : 'Specified fixed address not assigned to instance',
      )
    }
    const { port_id, ip_address: fixed_ip_address } = wanted
    const ip = await ipAt(tx, address)
    try {
      await updateFloatingIp(tx, ip, { port_id, fixed_ip_address })
    } catch (cause) {
      if (!(cause instanceof Fault)) throw cause
      throw new BadRequest(
        `Unable to associate floating IP ${address} to fixed IP ${fixed_ip_address} for instance ${serverId}. Error: ${cause.message}`,
        { cause },
      )
    }
  })
}

export async function removeFloatingIp(ctx: Ctx, serverId: string, address: string): Promise<void> {
  await ctx.transaction(async tx => {
    const ip = await ipAt(tx, address)
    const ports = (await serverPorts(tx, [serverId])).get(serverId) ?? []
    if (!ports.some(port => port.id === ip.fixed_port_id)) {
      throw new Conflict(`Floating IP ${address} is not associated with instance ${serverId}.`)
    }
    await disassociate(tx, ip)
  })
}
