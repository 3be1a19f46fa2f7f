/** Ports and their addresses: rows and queries. */
import { type Expression, type SqlBool, sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { type ListOptions, rows, type Where } from '#kernel/db/rows.ts'
import { addWhere, fromEach, matching, placeholder, run, statement } from '#kernel/db/statement.ts'
import type { StandardRow } from '#kernel/standard-row.ts'

export interface PortRow extends StandardRow {
  network_id: string
  name: string
  mac_address: string
  admin_state_up: boolean
  status: 'ACTIVE' | 'DOWN' | 'BUILD'
  device_id: string
  device_owner: string
  port_security_enabled: boolean
  allowed_address_pairs: { ip_address: string; mac_address: string }[]
  extra_dhcp_opts: { opt_name: string; opt_value: string; ip_version: 4 | 6 }[]
  binding_host_id: string
  binding_vnic_type: string
  binding_profile: Record<string, unknown>
  dns_name: string
  dns_domain: string
  propagate_uplink_status: boolean
  /** Its place among its server's; null for a port that compute has not claimed, whatever users wrote as its device. */
  server_index: number | null
  server_tag: string | null
  made_by_compute: boolean
  /** The host's device that carries it, as the agent reported. */
  tap: { name: string; netns?: string } | null
}

export interface AllocationRow {
  subnet_id: string
  ip_address: string
  network_id: string
  port_id: string
  /** Place among the port's addresses. */
  position: number
}

export interface PortGroupRow {
  port_id: string
  security_group_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_ports: PortRow
    network_ip_allocations: AllocationRow
    network_port_security_groups: PortGroupRow
  }
}

export const portRows = rows<PortRow>('network_ports', {
  json: ['tags', 'allowed_address_pairs', 'extra_dhcp_opts', 'binding_profile', 'tap'],
  bool: ['admin_state_up', 'port_security_enabled', 'propagate_uplink_status', 'made_by_compute'],
})

/** What the port of a network's DHCP belongs to. */
export const dhcpDevice = (networkId: string) => `dhcp-${networkId}`

/** A port that no server has. */
export const unclaimed = {
  server_index: null,
  server_tag: null,
  made_by_compute: false,
  binding_host_id: '',
  status: 'DOWN',
  tap: null,
} satisfies Partial<PortRow>

/** The interfaces and the gateway of a router: not what users only named after it. */
export const routerPortsOf = (db: Db, routerId: string): Promise<PortRow[]> =>
  portRows.list(db, { device_id: routerId, device_owner: ['network:router_interface', 'network:router_gateway'] })

export const allocationRows = rows<AllocationRow>('network_ip_allocations')
export const portGroupRows = rows<PortGroupRow>('network_port_security_groups')

const byPosition: { column: 'port_id' | 'position'; direction: 'asc' }[] = [
  { column: 'port_id', direction: 'asc' },
  { column: 'position', direction: 'asc' },
]

export async function allocationsOf(db: Db, portIds: string[]): Promise<Map<string, AllocationRow[]>> {
  const found = await allocationRows.list(db, { port_id: portIds }, { orderBy: byPosition })
  return grouped(portIds, found, row => row.port_id)
}

export async function groupsOf(db: Db, portIds: string[]): Promise<Map<string, string[]>> {
  const found = await portGroupRows.list(
    db,
    { port_id: portIds },
    { orderBy: [{ column: 'security_group_id', direction: 'asc' }] },
  )
  const map = grouped(portIds, found, row => row.port_id)
  return new Map([...map].map(([id, list]) => [id, list.map(row => row.security_group_id)]))
}

export type PortAddress = Pick<AllocationRow, 'subnet_id' | 'ip_address'>

/** Addresses and security groups of ports, each in its order, by one statement. */
export async function hangingOn(
  db: Db,
  portIds: string[],
): Promise<Map<string, { ips: PortAddress[]; groups: string[] }>> {
  const found = new Map(portIds.map(id => [id, { ips: [] as PortAddress[], groups: [] as string[] }]))
  if (portIds.length === 0) return found
  const s = statement(
    db,
    'select port_id, position, subnet_id, ip_address, null as group_id from network_ip_allocations',
  )
  addWhere(s, matching(s, { port_id: portIds }))
  s.text += ' union all select port_id, null, null, null, security_group_id from network_port_security_groups'
  addWhere(s, matching(s, { port_id: portIds }))
  s.text += ' order by 1, 2, 5'
  type Hanging = { port_id: string; group_id: string | null } & PortAddress
  for (const { port_id, subnet_id, ip_address, group_id } of (await run<Hanging>(db, s)).rows) {
    const { ips, groups } = found.get(port_id)!
    if (group_id === null) ips.push({ subnet_id, ip_address })
    else groups.push(group_id)
  }
  return found
}

/** Items by a key, with an empty list for every key that has none. */
export function grouped<T>(keys: Iterable<string>, items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const map = new Map<string, T[]>()
  for (const key of keys) map.set(key, [])
  for (const item of items) {
    const list = map.get(keyOf(item))
    if (list) list.push(item)
    else map.set(keyOf(item), [item])
  }
  return map
}

/** Ports with an address that is one of these. */
export const withAddress = (addresses: string[]): Expression<SqlBool> =>
  sql<SqlBool>`id in (select port_id from network_ip_allocations where ip_address in (${sql.join(addresses)}))`

export const withAddressLike = (part: string): Expression<SqlBool> =>
  sql<SqlBool>`id in (select port_id from network_ip_allocations where replace(ip_address, ${part}, '') <> ip_address)`

export const withSubnet = (subnetIds: string[]): Expression<SqlBool> =>
  sql<SqlBool>`id in (select port_id from network_ip_allocations where subnet_id in (${sql.join(subnetIds)}))`

export const withGroup = (groupIds: string[]): Expression<SqlBool> =>
  sql<SqlBool>`id in (select port_id from network_port_security_groups where security_group_id in (${sql.join(groupIds)}))`

/** Which of these addresses of a subnet are taken. */
export async function takenAmong(db: Db, subnetId: string, addresses: string[]): Promise<Set<string>> {
  const found = await allocationRows.list(db, { subnet_id: subnetId, ip_address: addresses })
  return new Set(found.map(row => row.ip_address))
}

/** Every taken address of a subnet. */
export async function takenIn(db: Db, subnetId: string): Promise<string[]> {
  return (await allocationRows.list(db, { subnet_id: subnetId })).map(row => row.ip_address)
}

const ofServers = (serverIds: string[]): Where<PortRow> => ({
  device_id: serverIds,
  server_index: { op: '!=', value: null },
})
const inServerOrder: ListOptions<PortRow> = {
  orderBy: [
    { column: 'server_index', direction: 'asc' },
    { column: 'created_at', direction: 'asc' },
    { column: 'id', direction: 'asc' },
  ],
}

/** Ports of servers, in the order in which the servers got them. */
export const serverPortRows = (db: Db, serverIds: string[]): Promise<PortRow[]> =>
  portRows.list(db, ofServers(serverIds), inServerOrder)

/** What a server shows of a port: a row for each combination of its address, floating IP and security group, so that one statement reads all. */
export interface ShownPortRow extends Pick<PortRow, 'id' | 'device_id' | 'mac_address'> {
  network_name: string
  ip_address: string | null
  floating_ip: string | null
  group_name: string | null
}

/** The same of a port as a whole. */
export interface WholePortRow extends ShownPortRow, Pick<PortRow, 'network_id' | 'status' | 'server_tag'> {
  subnet_id: string | null
  group_id: string | null
}

const shownColumns = `p.id, p.device_id, p.mac_address, n.name as network_name, a.ip_address, f.floating_ip_address as floating_ip,
      g.name as group_name`

/** Ports of servers; those of a server, and the rows of a port, stand together and in order. */
export const shownServerPorts = (db: Db, serverIds: string[]) =>
  ofServerPorts<ShownPortRow>(db, shownColumns, serverIds)

/** The same, with all that is known of them. */
export const wholeServerPorts = (db: Db, serverIds: string[]) =>
  ofServerPorts<WholePortRow>(
    db,
    `${shownColumns}, p.network_id, p.status, p.server_tag, a.subnet_id, g.id as group_id`,
    serverIds,
  )

/** Servers a statement: of a thousand, one would hold the process for as long as SQLite reads them from all over its file. */
const serversAtOnce = 250

async function ofServerPorts<Row>(db: Db, columns: string, serverIds: string[]): Promise<Row[]> {
  const found: Row[] = []
  for (let at = 0; at < serverIds.length; at += serversAtOnce)
    found.push(...(await someServerPorts<Row>(db, columns, serverIds.slice(at, at + serversAtOnce))))
  return found
}

async function someServerPorts<Row>(db: Db, columns: string, serverIds: string[]): Promise<Row[]> {
  const s = statement(db, `select ${columns}`)
  const ports = fromEach(s, { table: 'network_ports', as: 'p', column: 'device_id' }, serverIds)
  s.text += ` from ${ports.from}
      join network_networks n on n.id = p.network_id
      left join network_ip_allocations a on a.port_id = p.id
      left join network_floating_ips f on f.fixed_port_id = p.id
      left join network_port_security_groups pg on pg.port_id = p.id
      left join network_security_groups g on g.id = pg.security_group_id
    where ${ports.where} and p.server_index is not null
    order by ${ports.first}, p.server_index, p.created_at, p.id, a.position, f.created_at, f.id, g.id`
  return (await run<Row>(db, s)).rows
}

/** The port that has an address in a network. */
export async function portWithAddress(
  db: Db,
  networkId: string,
  address: string,
): Promise<Pick<PortRow, 'id' | 'device_id' | 'server_index'> | undefined> {
  const s = statement(
    db,
    `select p.id, p.device_id, p.server_index from network_ip_allocations a join network_ports p on p.id = a.port_id
    where a.network_id = `,
  )
  s.text += `${placeholder(s, networkId)} and a.ip_address = ${placeholder(s, address)}`
  return (await run<Pick<PortRow, 'id' | 'device_id' | 'server_index'>>(db, s)).rows[0]
}

/** Ids of the servers that have ports. */
export async function serversOfPorts(db: Db): Promise<string[]> {
  const query = db.selectFrom('network_ports').select('device_id').distinct().where('server_index', 'is not', null)
  return (await query.execute()).map(row => row.device_id)
}

/** How many addresses of each subnet of the networks are taken. */
export async function takenCounts(db: Db, networkIds: string[]): Promise<Map<string, number>> {
  if (networkIds.length === 0) return new Map()
  const found = await sql<{ subnet_id: string; n: number }>`
    select subnet_id, count(*) as n from network_ip_allocations
    where network_id in (${sql.join(networkIds)}) group by subnet_id`.execute(db)
  return new Map(found.rows.map(row => [row.subnet_id, Number(row.n)]))
}
