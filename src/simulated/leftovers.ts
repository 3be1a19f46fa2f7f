/** What is in a cloud of the things that users make and delete, each as a row that says what it is. */
import { type RawBuilder, sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'

export interface Thing {
  kind: string
  id: string
  name: string | null
  /** Of who owns it; null for what belongs to the cloud. */
  project_id: string | null
  /** What a port is used by: empty when nothing uses it. */
  used_by: string | null
}

const of = (kind: string, table: string, name: string, project: string, where = '1 = 1', usedBy = 'null') =>
  `select '${kind}' kind, cast(id as text) id, ${name} name, ${project} project_id, ${usedBy} used_by from ${table} where ${where}`

/** Without those that the cloud makes and removes by itself: default security groups, and ports of its own. */
const all = [
  of('server', 'compute_servers', 'display_name', 'project_id'),
  of('keypair', 'compute_keypairs', 'name', 'null'),
  of('server group', 'compute_server_groups', 'name', 'project_id'),
  of('flavor', 'compute_flavors', 'name', 'null'),
  of('host aggregate', 'compute_aggregates', 'name', 'null'),
  of('image', 'image_images', 'name', 'owner'),
  of('network', 'network_networks', 'name', 'project_id'),
  of('subnet', 'network_subnets', 'name', 'project_id'),
  of('port', 'network_ports', 'name', 'project_id', "device_owner not like 'network:%'", 'device_id'),
  of('router', 'network_routers', 'name', 'project_id'),
  of('floating IP', 'network_floating_ips', 'floating_ip_address', 'project_id'),
  of('security group', 'network_security_groups', 'name', 'project_id', "name <> 'default'"),
  of('subnet pool', 'network_subnet_pools', 'name', 'project_id'),
  of('project', 'identity_projects', 'name', 'id'),
  of('user', 'identity_users', 'name', 'null'),
  of('group', 'identity_groups', 'name', 'null'),
  of('role', 'identity_roles', 'name', 'null'),
  of('application credential', 'identity_application_credentials', 'name', 'project_id'),
].join('\nunion all ')

const query: RawBuilder<Thing> = sql.raw(`${all} order by 1, 3, 2`)

export async function thingsIn(db: Db): Promise<Thing[]> {
  return (await query.execute(db)).rows
}

const keyOf = ({ kind, id }: Thing) => `${kind} ${id}`

/** Those that were not there before. */
export function newAmong(things: readonly Thing[], before: ReadonlySet<string>): Thing[] {
  return things.filter(thing => !before.has(keyOf(thing)))
}

const keys: RawBuilder<{ key: string }> = sql.raw(`select kind || ' ' || id as key from (${all})`)

/** What says of each thing which one it is, and no more: there may be many. */
export async function keysIn(db: Db): Promise<Set<string>> {
  return new Set((await keys.execute(db)).rows.map(row => row.key))
}

/** `server "web" 0f6e… of project 5c1b…` */
export function shown({ kind, name, id, project_id }: Thing): string {
  const owner = project_id === null || project_id === id ? '' : ` of project ${project_id}`
  return `${kind} ${name ? `"${name}" ` : ''}${id}${owner}`
}
