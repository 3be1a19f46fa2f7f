/** The hosts' network agents: what they last reported; the revision of the desired state; and what each host must carry. */
import { type RawBuilder, sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { placeholder, run, statement } from '#kernel/db/statement.ts'

export interface HostRow {
  host: string
  plane: string
  extensions: string[]
  problems: { id: string; message: string }[]
  /** The revision that it should carry: of the last change that concerned it. */
  wanted_revision: number
  /** Of the last change of what it carries itself, beside what it knows of its neighbours. */
  own_revision: number
  /** Its plane makes nothing of neighbours: their changes do not concern it. */
  alone: boolean
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
  /** Up to this one it is not known what changed. */
  forgotten: number
  /** The last one of which it was noted what changed: a process of an older release notes nothing. */
  noted: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_hosts: HostRow
    network_agents: AgentRow
    network_revision: RevisionRow
  }
}

export const hostRows = rows<HostRow>('network_hosts', { json: ['extensions', 'problems'], bool: ['alone'] })
export const agentRows = rows<AgentRow>('network_agents', { bool: ['admin_state_up'] })

/** Adds one to the revision and returns it. */
export async function grow(db: Db): Promise<number> {
  const grown = await sql<{ revision: number }>`
    update network_revision set revision = revision + 1, noted = revision + 1,
      forgotten = case when noted = revision then forgotten else revision end
    where id = 1 returning revision`.execute(db)
  return Number(grown.rows[0]!.revision)
}

/** The newest revision, and the one since which all changes are known. */
export async function revisionNow(db: Db): Promise<{ revision: number; since: number }> {
  const found = await sql<RevisionRow>`select revision, forgotten, noted from network_revision where id = 1`.execute(db)
  const { revision, forgotten, noted } = found.rows[0]!
  return { revision: Number(revision), since: Number(noted === revision ? forgotten : revision) }
}

export type HostRevisions = Pick<HostRow, 'wanted_revision' | 'own_revision'>

/** The revisions that a host should have; 0 for one that never reported. */
export async function revisionsOf(db: Db, host: string): Promise<HostRevisions> {
  const [found] = await hostRows.pick(db, ['wanted_revision', 'own_revision'], { host })
  return { wanted_revision: Number(found?.wanted_revision ?? 0), own_revision: Number(found?.own_revision ?? 0) }
}

/** What a host is told that reports: the revision that it should have (0: unknown host), and whether routers wait for a host. */
export async function answerTo(db: Db, host: string): Promise<{ revision: number; homeless: boolean }> {
  const s = statement(
    db,
    'select wanted_revision, exists (select 1 from network_routers where host is null) as homeless',
  )
  s.text += ` from network_hosts where host = ${placeholder(s, host)}`
  const [found] = (await run<{ wanted_revision: number; homeless: number | boolean }>(db, s)).rows
  return { revision: Number(found?.wanted_revision ?? 0), homeless: Boolean(found?.homeless) }
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
  /** Ports that have left a network or groups. */
  left?: readonly { port_id: string; of: readonly string[] }[]
  /** Networks of which any port may have other addresses. */
  readdressed?: readonly string[]
}

/** A port that is another one for its neighbours: those on its network, or those who let a group of it in. An empty id is every port of them. */
export interface NeighbourChange {
  of_id: string
  port_id: string
}

export interface Concerned {
  /** Hosts to ask at once. */
  now: Set<string>
  /** Hosts that only hear of their neighbours, which can wait until there is more to tell. */
  soon: Set<string>
  changes: NeighbourChange[]
}

export async function concernedBy(db: Db, concern: Concern): Promise<Concerned> {
  const { hosts = [], ports = [], networks = [], security_groups = [], routers = [] } = concern
  const changes = (concern.left ?? []).flatMap(({ port_id, of }) => of.map(of_id => ({ of_id, port_id })))
  for (const of_id of await circlesOf(db, concern.readdressed ?? [])) changes.push({ of_id, port_id: '' })
  const now = new Set(hosts)
  for (const { port_id, host, network_id, security_group_id } of await whereabouts(db, ports)) {
    now.add(host)
    changes.push({ of_id: network_id, port_id })
    if (security_group_id !== null) changes.push({ of_id: security_group_id, port_id })
  }
  const direct = [
    ...(networks.length > 0 ? [ofNetworks(networks)] : []),
    ...(security_groups.length > 0 ? [ofGroups(sql`g.security_group_id in (${sql.join(security_groups)})`)] : []),
    ...(routers.length > 0 ? [sql`select host from network_routers where id in (${sql.join(routers)})`] : []),
  ]
  for (const host of await hostsOf(db, direct)) now.add(host)
  const circles = [...new Set(changes.map(change => change.of_id))]
  const soon = new Set(circles.length > 0 ? await hostsOf(db, [neighboursOf(circles)]) : [])
  now.delete('')
  for (const host of now) soon.delete(host)
  return { now, soon, changes: [...new Map(changes.map(one => [`${one.of_id} ${one.port_id}`, one])).values()] }
}

/** Networks, and the groups of all their ports. */
async function circlesOf(db: Db, networkIds: readonly string[]): Promise<string[]> {
  if (networkIds.length === 0) return []
  const found = await sql<{ id: string }>`
    select distinct g.security_group_id as id
    from network_ports p join network_port_security_groups g on g.port_id = p.id
    where p.network_id in (${sql.join(networkIds)})`.execute(db)
  return [...networkIds, ...found.rows.map(row => row.id)]
}

async function whereabouts(db: Db, portIds: readonly string[]) {
  if (portIds.length === 0) return []
  const found = await sql<{ port_id: string; host: string; network_id: string; security_group_id: string | null }>`
    select p.id as port_id, p.binding_host_id as host, p.network_id, g.security_group_id
    from network_ports p left join network_port_security_groups g on g.port_id = p.id
    where p.id in (${sql.join(portIds)})`.execute(db)
  return found.rows
}

async function hostsOf(db: Db, parts: RawBuilder<unknown>[]): Promise<string[]> {
  if (parts.length === 0) return []
  const found = await sql<{ host: string | null }>`${sql.join(parts, sql` union `)}`.execute(db)
  return found.rows.map(row => row.host ?? '')
}

/** Asks of every host instead of reading all ports of a network, which may be many more. */
const hostsWith = (which: RawBuilder<unknown>) => sql`select h.host from network_hosts h where ${which}`

/** Hosts of guests on the networks: there, DHCP and DNS tell of all their ports. */
const guestsOn = (ids: readonly string[]) => sql`exists (
  select 1 from network_ports p where p.binding_host_id = h.host and p.network_id in (${sql.join(ids)}))`

/** Hosts of ports in some groups. */
const portsIn = (which: RawBuilder<unknown>) => sql`exists (
  select 1 from network_ports p join network_port_security_groups g on g.port_id = p.id
  where p.binding_host_id = h.host and ${which})`

/** Hosts of guests and of routers on the networks. */
const ofNetworks = (ids: readonly string[]) => sql`
  ${hostsWith(guestsOn(ids))}
  union
  select r.host from network_ports p join network_routers r on r.id = p.device_id
  where p.network_id in (${sql.join(ids)})`

const ofGroups = (which: RawBuilder<unknown>) => hostsWith(portsIn(which))

/** Hosts that are told of the ports of these networks, or of the members of these groups, since a rule lets them in or out. */
const neighboursOf = (ids: string[]) =>
  hostsWith(
    sql`h.alone = 0 and (${guestsOn(ids)} or ${portsIn(sql`g.security_group_id in (
    select security_group_id from network_security_group_rules where remote_group_id in (${sql.join(ids)}))`)})`,
  )

/** Every host that has an agent. */
export async function everyHost(db: Db): Promise<string[]> {
  return (await sql<{ host: string }>`select host from network_hosts`.execute(db)).rows.map(row => row.host)
}

/** Notes that hosts should have a revision: since they carry something else, or only since their neighbours are others. */
export async function want(db: Db, { now, soon }: Concerned, revision: number): Promise<void> {
  await hostRows.update(db, { host: [...now] }, { wanted_revision: revision, own_revision: revision })
  await hostRows.update(db, { host: [...soon] }, { wanted_revision: revision })
}

/** The host with the fewest routers among those that reported since and take new ones; undefined when there is none. */
export async function leastLoadedHost(db: Db, since: string): Promise<string | undefined> {
  const found = await sql<{ host: string }>`
    select h.host from network_hosts h where h.heartbeat_at > ${since} and not exists (
      select 1 from network_agents a where a.host = h.host and a.agent_type = 'L3 agent' and a.admin_state_up = 0)
    order by (select count(*) from network_routers r where r.host = h.host), h.host limit 1`.execute(db)
  return found.rows[0]?.host
}
