/** What hosts know of each other: the leases of networks, the members of security groups, and the changes of both by revision. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { addWhere, matching, placeholder, run, statement } from '#kernel/db/statement.ts'
import type { MemberSpec } from '../agent/methods.ts'
import type { LeaseSpec } from '../drivers/driver.ts'
import { grouped } from '../ports/store.ts'
import type { NeighbourChange } from './store.ts'

interface ChangeRow extends NeighbourChange {
  revision: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_neighbour_changes: ChangeRow
  }
}

const changeRows = rows<ChangeRow>('network_neighbour_changes')

export function noteChanges(db: Db, revision: number, changes: readonly NeighbourChange[]): Promise<void> {
  return changeRows.insertMany(
    db,
    changes.map(change => ({ ...change, revision })),
  )
}

/** What changed of networks or groups after a revision; the last change of each port. */
export async function changesSince(db: Db, ids: readonly string[], revision: number): Promise<ChangeRow[]> {
  const s = statement(db, 'select of_id, port_id, max(revision) as revision from network_neighbour_changes')
  addWhere(s, matching(s, { of_id: ids, revision: { op: '>', value: revision } }))
  s.text += ' group by of_id, port_id'
  return (await run<ChangeRow>(db, s)).rows.map(row => ({ ...row, revision: Number(row.revision) }))
}

/** Forgets all but the changes of the last revisions. */
export async function forgetChanges(db: Db, kept: number): Promise<void> {
  await sql`update network_revision set forgotten = revision - ${kept} where id = 1 and revision - ${kept} > forgotten`.execute(
    db,
  )
  await sql`delete from network_neighbour_changes
    where revision <= (select forgotten from network_revision where id = 1)`.execute(db)
}

/** Which ports: those with these ids, or some of all in the order of their ids. */
export interface Which {
  ids?: readonly string[]
  after?: string
  limit?: number
}

function choose(db: Db, columns: string, of: string, ids: readonly string[], which: Which) {
  const s = statement(db, columns)
  const id = of === 'network_id' ? 'id' : 'port_id'
  const { after } = which
  addWhere(s, [
    ...matching(s, { [of]: ids, ...(which.ids && { [id]: which.ids }) }),
    ...(after === undefined ? [] : [`${id} > ${placeholder(s, after)}`]),
  ])
  if (which.limit !== undefined) s.text += ` order by ${id} limit ${placeholder(s, which.limit)}`
  return s
}

interface LeaseRow {
  port_id: string
  network_id: string
  mac_address: string
  dns_name: string
  extra_dhcp_opts: { opt_name: string; opt_value: string; ip_version: 4 | 6 }[]
  device_owner: string
  subnet_id: string | null
  ip_address: string
}

const leaseRows = rows<LeaseRow>('network_ports', { json: ['extra_dhcp_opts'] })

/** Ports of the cloud's own that nobody looks for by name. */
const unnamed = ['network:dhcp', 'network:floatingip']

export interface Page<T> {
  found: Map<string, T[]>
  /** The last port that was looked at, when there are more. */
  next: string | null
}

/** The ports of networks that have addresses, with what DHCP and DNS say of them, in the order of their ids. */
export async function leasesOf(db: Db, networkIds: readonly string[], which: Which = {}): Promise<Page<LeaseSpec>> {
  const s = choose(
    db,
    'with p as (select id, network_id, mac_address, dns_name, extra_dhcp_opts, device_owner from network_ports',
    'network_id',
    networkIds,
    which,
  )
  s.text += `) select p.id as port_id, p.network_id, p.mac_address, p.dns_name, p.extra_dhcp_opts, p.device_owner,
    a.subnet_id, a.ip_address from p left join network_ip_allocations a on a.port_id = p.id order by p.id, a.position`
  const all = (await run<Record<string, unknown>>(db, s)).rows.map(leaseRows.decode)
  const byPort = [...grouped([], all, row => row.port_id).values()]
  const leases = byPort.filter(([one]) => one!.subnet_id !== null && !unnamed.includes(one!.device_owner))
  const byNetwork = grouped(networkIds, leases, ([one]) => one!.network_id)
  return {
    found: new Map([...byNetwork].map(([id, list]) => [id, list.map(leaseSpec)])),
    next: byPort.length === which.limit ? byPort.at(-1)![0]!.port_id : null,
  }
}

function leaseSpec(addresses: LeaseRow[]): LeaseSpec {
  const { port_id, mac_address: mac, dns_name: hostname, extra_dhcp_opts } = addresses[0]!
  return {
    port_id,
    mac,
    ips: addresses.map(({ subnet_id, ip_address }) => ({ subnet_id: subnet_id!, ip_address })),
    hostname,
    dhcp_options: extra_dhcp_opts.map(({ opt_name: name, opt_value: value, ip_version }) => ({
      name,
      value,
      ip_version,
    })),
  }
}

interface MemberRow {
  port_id: string
  of_id: string
  pairs: string
  address: string | null
}

/** The ports in groups, with their addresses and those that they may use besides, in the order of their ids. */
export async function membersOf(db: Db, groupIds: readonly string[], which: Which = {}): Promise<Page<MemberSpec>> {
  const s = choose(
    db,
    'with g as (select port_id, security_group_id from network_port_security_groups',
    'security_group_id',
    groupIds,
    which,
  )
  s.text += `) select g.port_id, g.security_group_id as of_id, p.allowed_address_pairs as pairs, a.ip_address as address
    from g join network_ports p on p.id = g.port_id left join network_ip_allocations a on a.port_id = g.port_id
    order by g.port_id, a.position`
  const all = (await run<MemberRow>(db, s)).rows
  const byPort = [...grouped([], all, row => `${row.of_id} ${row.port_id}`).values()]
  const byGroup = grouped(groupIds, byPort, ([one]) => one!.of_id)
  return {
    found: new Map([...byGroup].map(([id, list]) => [id, list.map(memberSpec)])),
    next: byPort.length === which.limit ? byPort.at(-1)![0]!.port_id : null,
  }
}

function memberSpec(found: MemberRow[]): MemberSpec {
  const { port_id, pairs } = found[0]!
  const besides = pairs === '[]' ? [] : (JSON.parse(pairs) as { ip_address: string }[])
  const own = found.flatMap(({ address }) => address ?? [])
  return { port_id, addresses: [...own, ...besides.map(pair => pair.ip_address)] }
}
