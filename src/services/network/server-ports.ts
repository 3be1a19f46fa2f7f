/** The ports of servers: claimed with the server, bound to its host, released with it. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Fault, Forbidden, NotFound } from '#kernel/errors.ts'
import { touch } from '#kernel/standard-row.ts'
import type { NetworkRequest, PortOwner, ServerPort } from './contract.ts'
import { lockAddresses, makePort, removePorts, setGroups } from './ports/steps.ts'
import { groupsOf, type PortRow, portRows, unclaimed } from './ports/store.ts'
import { reserve } from './quotas/quota.ts'
import { changed } from './revision.ts'
import { checkAllocatable, type ResolvedNic, resolveGroups, resolveNetworks } from './server-networks.ts'
import { serverPortRows, serverPorts } from './server-view.ts'
import { allocate } from './topologies/steps.ts'

export async function validate(ctx: Ctx, request: NetworkRequest, projectId: string, servers = 1): Promise<void> {
  const nics = await resolveNetworks(ctx, request, projectId)
  if (request === 'auto' && nics.length === 0) await checkAllocatable(ctx, projectId)
  // One server's ports are counted when they are made.
  if (servers > 1) await reservePorts(ctx, projectId, servers * Math.max(nics.length, request === 'auto' ? 1 : 0))
}

export async function claimPorts(
  ctx: Ctx,
  owner: PortOwner,
  request: NetworkRequest,
  securityGroups: string[],
): Promise<ServerPort[]> {
  return ctx.transaction(async tx => {
    const nics = await resolveNetworks(tx, request, owner.project_id)
    if (request === 'auto' && nics.length === 0) nics.push({ network: await allocate(tx, owner.project_id) })
    const groups = await resolveGroups(tx, owner.project_id, securityGroups.length > 0 ? securityGroups : ['default'])
    const groupIds = groups.map(group => group.id)
    await reservePorts(tx, owner.project_id, nics.filter(nic => !nic.port).length)
    await lockAddresses(
      tx,
      nics.map(nic => nic.network.id),
    )
    // Behind those that the server has, of which some may have gone.
    const last = (await serverPortRows(tx, [owner.server_id])).at(-1)?.server_index ?? -1
    const claimed = new Set<string>()
    for (const [i, nic] of nics.entries()) claimed.add(await claimOne(tx, owner, nic, groupIds, last + 1 + i))
    const has = (await serverPorts(tx, [owner.server_id])).get(owner.server_id) ?? []
    return has.filter(port => claimed.has(port.id))
  })
}

async function reservePorts(ctx: Ctx, projectId: string, count: number): Promise<void> {
  if (count === 0) return
  try {
    await reserve(ctx, projectId, 'port', count)
  } catch (error) {
    if (error instanceof Fault && error.type === 'OverQuota')
      throw new Forbidden('Maximum number of ports exceeded', { type: 'PortLimitExceeded', cause: error })
    throw error
  }
}

/** Returns the port's id. */
async function claimOne(
  ctx: Ctx,
  owner: PortOwner,
  nic: ResolvedNic,
  groups: string[],
  index: number,
): Promise<string> {
  const device = { device_id: owner.server_id, device_owner: `compute:${owner.availability_zone}` }
  const seen = { server_index: index, server_tag: nic.tag ?? null }
  if (nic.port) {
    const { dns_name } = nic.port
    await touch(ctx, portRows, nic.port, { ...device, ...seen, dns_name: dns_name || owner.hostname })
    await changed(ctx, { ports: [nic.port.id] })
    return nic.port.id
  }
  const made = await makePort(ctx, nic.network, {
    project_id: owner.project_id,
    ...device,
    ...(nic.fixed_ip !== undefined && { fixed_ips: [{ ip_address: nic.fixed_ip }] }),
    security_groups: nic.network.port_security_enabled ? groups : [],
    row: { ...seen, dns_name: owner.hostname, made_by_compute: true },
  })
  return made.id
}

export async function bindPorts(ctx: Ctx, serverId: string, host: string): Promise<void> {
  await setHost(ctx, serverId, host)
}

export async function unbindPorts(ctx: Ctx, serverId: string): Promise<void> {
  await setHost(ctx, serverId, '')
}

async function setHost(ctx: Ctx, serverId: string, host: string): Promise<void> {
  await ctx.transaction(async tx => {
    const ports = (await serverPortRows(tx, [serverId])).filter(port => port.binding_host_id !== host)
    for (const port of ports) await touch(tx, portRows, port, { binding_host_id: host, status: 'DOWN', tap: null })
    if (ports.length > 0) await changed(tx, moved(ports))
  })
}

export function releasePorts(ctx: Ctx, serverId: string): Promise<number> {
  return ctx.transaction(async tx => {
    const ports = await serverPortRows(tx, [serverId])
    await release(tx, ports)
    return ports.length
  })
}

export async function releasePort(ctx: Ctx, serverId: string, portId: string): Promise<void> {
  await ctx.transaction(async tx => {
    const port = (await serverPortRows(tx, [serverId])).find(one => one.id === portId)
    if (!port) throw new NotFound(`Port id ${portId} could not be found.`, { type: 'PortNotFound' })
    await release(tx, [port])
  })
}

/** What compute made goes; what a user made is free again. */
async function release(ctx: Ctx, ports: PortRow[]): Promise<void> {
  await removePorts(
    ctx,
    ports.filter(port => port.made_by_compute),
  )
  const kept = ports.filter(port => !port.made_by_compute)
  for (const port of kept)
    await touch(ctx, portRows, port, {
      ...unclaimed,
      device_id: '',
      device_owner: '',
      dns_name: '',
    })
  if (kept.length > 0) await changed(ctx, moved(kept))
}

/** Ports that leave the hosts where they were. */
const moved = (ports: PortRow[]) => ({
  hosts: ports.map(port => port.binding_host_id),
  ports: ports.map(port => port.id),
})

export async function setSecurityGroup(ctx: Ctx, serverId: string, group: string, present: boolean): Promise<void> {
  await ctx.transaction(async tx => {
    const ports = await serverPortRows(tx, [serverId])
    const first = ports[0]
    if (!first)
      throw new BadRequest('The server has no ports: a security group belongs to a port. Attach an interface first.')
    const [wanted] = await resolveGroups(tx, first.project_id, [group]).catch(notThere)
    const had = await groupsOf(
      tx.db,
      ports.map(port => port.id),
    )
    if (!present && ports.every(port => !had.get(port.id)!.includes(wanted!.id)))
      throw new NotFound(`Security group ${group} not associated with the instance ${serverId}`, {
        type: 'SecurityGroupNotFound',
      })
    for (const port of ports) {
      const others = had.get(port.id)!.filter(id => id !== wanted!.id)
      await setGroups(tx, port.id, present ? [...others, wanted!.id] : others)
      await touch(tx, portRows, port, {})
    }
    await changed(tx, { ports: ports.map(port => port.id) })
  })
}

/** An action on a server that names an unknown group answers 404, its creation 400. */
function notThere(error: unknown): never {
  if (error instanceof Fault && error.type === 'SecurityGroupNotFound')
    throw new NotFound(error.message, { type: error.type })
  throw error
}
