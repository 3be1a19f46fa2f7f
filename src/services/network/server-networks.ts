/** Reads what a server asks for as networks and ports: the checks and words of compute's API. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Forbidden } from '#kernel/errors.ts'
import { contains, normalAddress, parseAddress, parseCidr } from './addresses.ts'
import type { NetworkRequest } from './contract.ts'
import { accessTo, noAccess } from './networks/steps.ts'
import { type NetworkRow, networkRows, sharedWith } from './networks/store.ts'
import { allocationRows, allocationsOf, grouped, type PortRow, portRows } from './ports/store.ts'
import { defaultGroup } from './security-groups/steps.ts'
import { groupRows, type SecurityGroupRow } from './security-groups/store.ts'
import { subnetsOf } from './subnets/store.ts'
import { defaultOutside } from './topologies/steps.ts'

export interface ResolvedNic {
  network: NetworkRow
  /** The port that the user made. */
  port?: PortRow
  fixed_ip?: string
  tag?: string
}

const mayChooseAny = (ctx: Ctx) => ctx.identity.roles.includes('admin') || ctx.identity.is_admin === true

/** The networks and ports meant, in their order. Throws what compute's API answers for requests that cannot be met. */
export async function resolveNetworks(ctx: Ctx, request: NetworkRequest, projectId: string): Promise<ResolvedNic[]> {
  if (request === 'none') return []
  if (request === 'auto' || request.length === 0) return chooseNetwork(ctx, projectId)
  const nics: ResolvedNic[] = []
  for (const { network_id, port_id, fixed_ip, tag } of request) {
    const nic = port_id
      ? await givenPort(ctx, port_id, projectId)
      : await givenNetwork(ctx, network_id!, projectId, fixed_ip)
    nics.push({ ...nic, ...(tag !== undefined && { tag }) })
  }
  const ports = nics.flatMap(nic => nic.port?.id ?? [])
  const twice = ports.find((id, i) => ports.indexOf(id) !== i)
  if (twice) throw new Conflict(`Port ${twice} is still in use.`, { type: 'PortInUse' })
  await checkSubnets(ctx, nics)
  return nics
}

/** Without a choice by the user: the one network that the project has. */
async function chooseNetwork(ctx: Ctx, projectId: string): Promise<ResolvedNic[]> {
  const found = await networkRows.list(
    ctx.db,
    { external: false, admin_state_up: true },
    { limit: 2, also: eb => eb.or([eb('project_id', '=', projectId), sharedWith(projectId)]) },
  )
  if (found.length > 1)
    throw new Conflict('Multiple possible networks found, use a Network ID to be more specific.', {
      type: 'NetworkAmbiguous',
    })
  const nics = found.map(network => ({ network }))
  await checkSubnets(ctx, nics)
  return nics
}

/** Whether a network could be made for a project that has none, and asks for one. */
export async function checkAllocatable(ctx: Ctx, projectId: string): Promise<void> {
  try {
    await defaultOutside(ctx)
  } catch (cause) {
    throw new BadRequest(
      `Unable to automatically allocate a network for project ${projectId}: there is no default external network. Create a network with a subnet, or ask for none.`,
      { type: 'UnableToAutoAllocateNetwork', cause },
    )
  }
}

async function givenNetwork(
  ctx: Ctx,
  id: string,
  projectId: string,
  fixedIp: string | undefined,
): Promise<ResolvedNic> {
  const network = await networkRows.find(ctx.db, { id })
  const { seen, shared } = (network && (await accessTo(ctx, [network], projectId)).get(id)) ?? noAccess
  if (!network || !seen) throw new BadRequest(`Network ${id} could not be found.`, { type: 'NetworkNotFound' })
  if (network.external && !shared && !mayChooseAny(ctx))
    throw new Forbidden(`It is not allowed to create an interface on external network ${id}`, {
      type: 'ExternalNetworkAttachForbidden',
    })
  if (fixedIp === undefined) return { network }
  await checkFixedIp(ctx, network, fixedIp)
  return { network, fixed_ip: normalAddress(fixedIp)! }
}

async function checkFixedIp(ctx: Ctx, network: NetworkRow, text: string): Promise<void> {
  const address = parseAddress(text)
  const subnets = await subnetsOf(ctx.db, [network.id])
  if (!address || !subnets.some(subnet => contains(parseCidr(subnet.cidr)!, address)))
    throw new BadRequest(`Fixed IP ${text} is not a valid ip address for network ${network.id}.`, {
      type: 'FixedIpNotFoundForNetwork',
    })
  const taken = await allocationRows.find(ctx.db, { network_id: network.id, ip_address: normalAddress(text)! })
  if (!taken) return
  const port = await portRows.find(ctx.db, { id: taken.port_id })
  throw new BadRequest(`Fixed IP address ${text} is already in use on instance ${port?.device_id || 'unknown'}.`, {
    type: 'FixedIpAlreadyInUse',
  })
}

async function givenPort(ctx: Ctx, id: string, projectId: string): Promise<ResolvedNic> {
  const port = await portRows.find(ctx.db, { id })
  if (!port || (port.project_id !== projectId && !mayChooseAny(ctx)))
    throw new BadRequest(`Port id ${id} could not be found.`, { type: 'PortNotFound' })
  if (port.device_id !== '') throw new Conflict(`Port ${id} is still in use.`, { type: 'PortInUse' })
  if ((await allocationsOf(ctx.db, [id])).get(id)!.length === 0)
    throw new BadRequest(`Port ${id} requires a FixedIP in order to be used.`, { type: 'PortRequiresFixedIP' })
  return { port, network: (await networkRows.find(ctx.db, { id: port.network_id }))! }
}

async function checkSubnets(ctx: Ctx, nics: ResolvedNic[]): Promise<void> {
  const ids = nics.filter(nic => !nic.port).map(nic => nic.network.id)
  const byNetwork = grouped(ids, await subnetsOf(ctx.db, ids), subnet => subnet.network_id)
  const empty = ids.find(id => byNetwork.get(id)!.length === 0)
  if (empty)
    throw new BadRequest(`Network ${empty} requires a subnet in order to boot instances on.`, {
      type: 'NetworkRequiresSubnet',
    })
}

/** The project's security groups by names or ids. */
export async function resolveGroups(ctx: Ctx, projectId: string, wanted: string[]): Promise<SecurityGroupRow[]> {
  const own = wanted.length > 0 ? await groupRows.list(ctx.db, { project_id: projectId }) : []
  const groups: SecurityGroupRow[] = []
  for (const name of new Set(wanted)) {
    const byId = own.filter(group => group.id === name)
    const found = byId.length > 0 ? byId : own.filter(group => group.name === name)
    if (found.length > 1)
      throw new Conflict(`Multiple security groups found matching '${name}'. Use an ID to be more specific.`, {
        type: 'NoUniqueMatch',
      })
    if (found[0]) groups.push(found[0])
    else if (name === 'default') groups.push(await defaultGroup(ctx, projectId))
    else throw new BadRequest(`Security group ${name} not found.`, { type: 'SecurityGroupNotFound' })
  }
  return groups
}
