/** The hosts' network agents: what they last reported; the revision of the desired state; and what each host must carry. */
import { type RawBuilder, sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface HostRow {
  host: string
  plane: string
  extensions: string[]
  problems: { id: string; message: string }[]
  /** The revision that it should carry: of the last change that concerned it. */
  wanted_revision: number
  applied_revision: number
  started_at: string
  heartbeat_at: string
}

export interface AgentRow {
  id: string
  host: string
  agent_type: string
  admin_state_up: boolean
  description: string
  created_at: string
}

interface RevisionRow {
  id: number
  revision: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_hosts: HostRow
    network_agents: AgentRow
    network_revision: RevisionRow
  }
}

export const hostRows = rows<HostRow>('network_hosts', { json: ['extensions', 'problems'] })
export const agentRows = rows<AgentRow>('network_agents', { bool: ['admin_state_up'] })

/** Adds one to the revision and returns it. */
export async function grow(db: Db): Promise<number> {
  const grown = await sql<{ revision: number }>`
    update network_revision set revision = revision + 1 where id = 1 returning revision`.execute(db)
  return Number(grown.rows[0]!.revision)
}

export async function revisionNow(db: Db): Promise<number> {
  const found = await sql<{ revision: number }>`select revision from network_revision where id = 1`.execute(db)
  return Number(found.rows[0]!.revision)
}

/** The revision that a host should have; 0 for one that never reported. */
export async function wantedRevision(db: Db, host: string): Promise<number> {
  const found = await sql<{ wanted_revision: number }>`
    select wanted_revision from network_hosts where host = ${host}`.execute(db)
  return Number(found.rows[0]?.wanted_revision ?? 0)
}

/** What a change is about: ids, looked up at the end of its transaction. */
export interface Concern {
  /** Names of hosts that carried it before. */
  hosts?: readonly string[]
  /** Ports that are there. */
  ports?: readonly string[]
  /** Networks or their subnets. */
  networks?: readonly string[]
  /** Groups whose rules are other ones. */
  security_groups?: readonly string[]
  routers?: readonly string[]
  /** Networks of which only the ports are other ones: names and addresses in DHCP and DNS. */
  leases_of?: readonly string[]
  /** Groups of which only the members are other ones. */
  members_of?: readonly string[]
}

/** Hosts to ask at once, and those that only hear of their neighbours, which can wait until there is more to tell. */
export interface ConcernedHosts {
  now: Set<string>
  soon: Set<string>
}

export async function hostsConcerned(db: Db, concern: Concern): Promise<ConcernedHosts> {
  const { hosts = [], ports = [], networks = [], security_groups = [], routers = [] } = concern
  const leases = new Set(concern.leases_of)
  const members = new Set(concern.members_of)
  const now = new Set(hosts)
  for (const row of await whereabouts(db, ports)) {
    now.add(row.host)
    leases.add(row.network_id)
    if (row.security_group_id !== null) members.add(row.security_group_id)
  }
  const direct = [
    ...(networks.length > 0 ? [ofNetworks(networks)] : []),
    ...(security_groups.length > 0 ? [ofGroups(sql`g.security_group_id in (${sql.join(security_groups)})`)] : []),
    ...(routers.length > 0 ? [sql`select host from network_routers where id in (${sql.join(routers)})`] : []),
  ]
  const indirect = [
    ...(leases.size > 0 ? [ofGuests([...leases])] : []),
    ...(members.size > 0 ? [ofGroups(letting([...members]))] : []),
  ]
  for (const host of await hostsOf(db, direct)) now.add(host)
  const soon = new Set(await hostsOf(db, indirect))
  for (const set of [now, soon]) set.delete('')
  for (const host of now) soon.delete(host)
  return { now, soon }
}

async function whereabouts(db: Db, portIds: readonly string[]) {
  if (portIds.length === 0) return []
  const found = await sql<{ host: string; network_id: string; security_group_id: string | null }>`
    select p.binding_host_id as host, p.network_id, g.security_group_id
    from network_ports p left join network_port_security_groups g on g.port_id = p.id
    where p.id in (${sql.join(portIds)})`.execute(db)
  return found.rows
}

async function hostsOf(db: Db, parts: RawBuilder<unknown>[]): Promise<string[]> {
  if (parts.length === 0) return []
  const found = await sql<{ host: string | null }>`${sql.join(parts, sql` union `)}`.execute(db)
  return found.rows.map(row => row.host ?? '')
}

/** Hosts of guests on the networks: there, DHCP and DNS tell of all their ports. */
const ofGuests = (ids: readonly string[]) =>
  sql`select binding_host_id as host from network_ports where network_id in (${sql.join(ids)})`

/** Hosts of guests and of routers on the networks. */
const ofNetworks = (ids: readonly string[]) => sql`
  ${ofGuests(ids)}
  union
  select r.host from network_ports p join network_routers r on r.id = p.device_id where p.network_id in (${sql.join(ids)})`

/** Hosts of ports in some groups. */
const ofGroups = (which: RawBuilder<unknown>) => sql`
  select p.binding_host_id as host from network_port_security_groups g join network_ports p on p.id = g.port_id
  where ${which}`

/** Groups with a rule that lets the members of these in or out. */
const letting = (ids: string[]) => sql`g.security_group_id in (
  select security_group_id from network_security_group_rules where remote_group_id in (${sql.join(ids)}))`

/** Every host that has an agent. */
export async function everyHost(db: Db): Promise<string[]> {
  return (await sql<{ host: string }>`select host from network_hosts`.execute(db)).rows.map(row => row.host)
}

/** Notes that the hosts should have a revision. */
export async function want(db: Db, hosts: string[], revision: number): Promise<void> {
  if (hosts.length > 0) await hostRows.update(db, { host: hosts }, { wanted_revision: revision })
}

export interface LeaseRow {
  port_id: string
  network_id: string
  mac_address: string
  dns_name: string
  extra_dhcp_opts: PortOptions
  subnet_id: string
  ip_address: string
}
type PortOptions = { opt_name: string; opt_value: string; ip_version: 4 | 6 }[]

const leaseRows = rows<LeaseRow>('network_ports', { json: ['extra_dhcp_opts'] })

/** The addresses of all ports of the networks, with what DHCP and DNS say of them. */
export async function leasesOf(db: Db, networkIds: string[]): Promise<LeaseRow[]> {
  if (networkIds.length === 0) return []
  const found = await sql<Record<string, unknown>>`
    select p.id as port_id, p.network_id, p.mac_address, p.dns_name, p.extra_dhcp_opts, a.subnet_id, a.ip_address
    from network_ports p join network_ip_allocations a on a.port_id = p.id
    where p.network_id in (${sql.join(networkIds)}) and p.device_owner not in ('network:dhcp', 'network:floatingip')
    order by p.id, a.position`.execute(db)
  return found.rows.map(leaseRows.decode)
}

/** Addresses of the ports in the groups, and those that the ports may use besides. */
export async function membersOf(db: Db, groupIds: string[]): Promise<Map<string, string[]>> {
  const members = new Map(groupIds.map(id => [id, new Set<string>()]))
  if (groupIds.length === 0) return new Map()
  const own = await sql<{ id: string; address: string }>`
    select g.security_group_id as id, a.ip_address as address
    from network_port_security_groups g join network_ip_allocations a on a.port_id = g.port_id
    where g.security_group_id in (${sql.join(groupIds)})`.execute(db)
  for (const { id, address } of own.rows) members.get(id)!.add(address)
  const pairs = await sql<{ id: string; pairs: string }>`
    select g.security_group_id as id, p.allowed_address_pairs as pairs
    from network_port_security_groups g join network_ports p on p.id = g.port_id
    where g.security_group_id in (${sql.join(groupIds)}) and p.allowed_address_pairs <> '[]'`.execute(db)
  for (const row of pairs.rows)
    for (const { ip_address } of JSON.parse(row.pairs) as { ip_address: string }[]) members.get(row.id)!.add(ip_address)
  return new Map([...members].map(([id, addresses]) => [id, [...addresses].sort()]))
}

/** The host with the fewest routers among those that reported since and take new ones; undefined when there is none. */
export async function leastLoadedHost(db: Db, since: string): Promise<string | undefined> {
  const found = await sql<{ host: string }>`
    select h.host from network_hosts h where h.heartbeat_at > ${since} and not exists (
      select 1 from network_agents a where a.host = h.host and a.agent_type = 'L3 agent' and a.admin_state_up = 0)
    order by (select count(*) from network_routers r where r.host = h.host), h.host limit 1`.execute(db)
  return found.rows[0]?.host
}
