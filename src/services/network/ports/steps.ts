/** Making, changing and removing ports inside other work: guests' ports and those that the cloud makes for itself. */
import type { Ctx } from '#kernel/context.ts'
import { archive } from '#kernel/db/archive.ts'
import { lock } from '#kernel/db/database.ts'
import { Unavailable } from '#kernel/errors.ts'
import { standardMembers } from '#kernel/standard-row.ts'
import { macAddressInUse } from '../errors.ts'
import { disassociateLost } from '../floating-ips/steps.ts'
import type { NetworkRow } from '../networks/store.ts'
import { changed } from '../revision.ts'
import type { SubnetRow } from '../subnets/store.ts'
import { type AddressRequest, type ChosenAddress, chooseAddresses, formedAddress, lockAddresses } from './allocation.ts'
import { allocationRows, allocationsOf, groupsOf, type PortRow, portGroupRows, portRows, unclaimed } from './store.ts'

export { type AddressRequest, lockAddresses }

export interface NewPort {
  project_id: string
  name?: string
  description?: string
  tags?: string[]
  device_owner: string
  device_id: string
  mac_address?: string
  /** Undefined: one address of each family. */
  fixed_ips?: AddressRequest[]
  security_groups?: string[]
  row?: Partial<PortRow>
}

/** Makes a port with its addresses and groups. Quota and policy are the caller's affair. */
export async function makePort(ctx: Ctx, network: NetworkRow, wanted: NewPort): Promise<PortRow> {
  await lockAddresses(ctx, [network.id])
  const { name = '', device_owner, device_id, security_groups = [] } = wanted
  const port: PortRow = {
    ...standardMembers(ctx, { ...wanted }),
    network_id: network.id,
    name,
    mac_address: await macFor(ctx, network, wanted.mac_address),
    admin_state_up: true,
    device_id,
    device_owner,
    port_security_enabled: network.port_security_enabled,
    allowed_address_pairs: [],
    extra_dhcp_opts: [],
    ...unclaimed,
    binding_vnic_type: 'normal',
    binding_profile: {},
    dns_name: '',
    dns_domain: '',
    propagate_uplink_status: true,
    ...wanted.row,
  }
  const addresses = await chooseAddresses(ctx, port, wanted.fixed_ips)
  await portRows.insert(ctx.db, port)
  await insertAddresses(ctx, port, addresses, 0)
  await insertGroups(ctx, port.id, security_groups)
  await changed(ctx, { ports: [port.id], ...routerOf(port) })
  return port
}

function insertAddresses(ctx: Ctx, port: PortRow, addresses: ChosenAddress[], from: number): Promise<void> {
  return allocationRows.insertMany(
    ctx.db,
    addresses.map((address, i) => ({ ...address, network_id: port.network_id, port_id: port.id, position: from + i })),
  )
}

/** Gives a port other addresses; those it has and keeps stay as they are. */
export async function setAddresses(ctx: Ctx, port: PortRow, requests: AddressRequest[]): Promise<void> {
  await lockAddresses(ctx, [port.network_id])
  const had = await allocationRows.list(ctx.db, { port_id: port.id })
  const { kept, open } = matchKept(had, requests)
  const chosen = await chooseAddresses(ctx, port, open, kept)
  await allocationRows.remove(ctx.db, { port_id: port.id })
  const all = [...kept, ...chosen.filter(one => !kept.some(other => other.ip_address === one.ip_address))]
  await insertAddresses(ctx, port, all, 0)
  await changed(ctx, { ports: [port.id], ...routerOf(port) })
}

/** Which addresses the new wishes already name: a certain address first, then any of a subnet. */
function matchKept(had: ChosenAddress[], requests: AddressRequest[]) {
  const left = had.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address }))
  const kept: ChosenAddress[] = []
  const take = (fits: (address: ChosenAddress) => boolean) => {
    const at = left.findIndex(fits)
    if (at >= 0) kept.push(...left.splice(at, 1))
    return at >= 0
  }
  const certain = requests.filter(
    r =>
      r.ip_address === undefined ||
      !take(a => a.ip_address === r.ip_address && (r.subnet_id ?? a.subnet_id) === a.subnet_id),
  )
  const open = certain.filter(r => r.ip_address !== undefined || !take(a => a.subnet_id === r.subnet_id))
  return { kept, open }
}

/** Gives every guest's port the address that it forms for itself on a new subnet. */
export async function addFormedAddresses(ctx: Ctx, subnet: SubnetRow): Promise<void> {
  await lockAddresses(ctx, [subnet.network_id])
  const ports = await portRows.list(ctx.db, { network_id: subnet.network_id })
  const guests = ports.filter(port => !/^network:(router_|floatingip|dhcp)/.test(port.device_owner))
  const had = await allocationsOf(
    ctx.db,
    guests.map(port => port.id),
  )
  for (const port of guests) {
    const position = had.get(port.id)!.length
    await insertAddresses(ctx, port, [formedAddress(subnet, port)], position)
  }
}

function insertGroups(ctx: Ctx, port_id: string, groupIds: readonly string[]): Promise<void> {
  const unique = [...new Set(groupIds)]
  return portGroupRows.insertMany(
    ctx.db,
    unique.map(security_group_id => ({ port_id, security_group_id })),
  )
}

export async function setGroups(ctx: Ctx, portId: string, groupIds: string[]): Promise<void> {
  const had = (await groupsOf(ctx.db, [portId])).get(portId)!
  await portGroupRows.remove(ctx.db, { port_id: portId })
  await insertGroups(ctx, portId, groupIds)
  await changed(ctx, { ports: [portId], left: [{ port_id: portId, of: had }] })
}

/** Removes ports with all that hangs on them; floating IPs lose their association. */
export async function removePorts(ctx: Ctx, ports: PortRow[]): Promise<void> {
  const groups = await groupsOf(
    ctx.db,
    ports.map(port => port.id),
  )
  for (const id of ports.map(port => port.id).sort()) await lock(ctx.db, ctx.database.engine, `ports:${id}`)
  for (const port of ports) {
    await portGroupRows.remove(ctx.db, { port_id: port.id })
    await allocationRows.remove(ctx.db, { port_id: port.id })
    await disassociateLost(ctx, port.id)
    await portRows.remove(ctx.db, { id: port.id })
    await archive(ctx, portRows.table, port.id, port)
    await changed(ctx, {
      hosts: [port.binding_host_id],
      left: [{ port_id: port.id, of: [port.network_id, ...groups.get(port.id)!] }],
      ...routerOf(port),
    })
  }
}

/** The router that a port is a part of. */
const routerOf = ({ device_owner, device_id }: PortRow) =>
  device_owner.startsWith('network:router_') ? { routers: [device_id] } : {}

/** The MAC asked for, or one of the cloud's own that no port of the network has. */
export async function macFor(ctx: Ctx, network: Pick<NetworkRow, 'id'>, wanted: string | undefined): Promise<string> {
  if (wanted !== undefined) {
    const mac = wanted.toLowerCase().replaceAll('-', ':')
    if (await portRows.find(ctx.db, { network_id: network.id, mac_address: mac }))
      throw macAddressInUse(network.id, mac)
    return mac
  }
  for (let i = 0; i < 16; i++) {
    const mac = `fa:16:3e:${[...ctx.ids.bytes(3)].map(byte => byte.toString(16).padStart(2, '0')).join(':')}`
    if (!(await portRows.find(ctx.db, { network_id: network.id, mac_address: mac }))) return mac
  }
  throw new Unavailable(`Unable to generate unique mac on network ${network.id}.`, {
    type: 'NetworkMacAddressGenerationFailure',
  })
}
