/** What views show beside the rows of servers: of their cell in one statement, of the global tables in another. */
import type { Ctx } from '#kernel/context.ts'
import { fromEach, run, statement } from '#kernel/db/statement.ts'
import type { RequestSpec } from './server.ts'
import type { ShownRequest } from './software/software.ts'
import { cellDatabases } from './store-cells.ts'

export interface InCell {
  tags: Map<string, string[]>
  volumes: Map<string, { id: string; delete_on_termination: boolean }[]>
  software: Map<string, ShownRequest>
}

type Held = { server_id: string; name: string; position: number | null; goes: number | null; driver?: null }
type Wanted = Pick<ShownRequest, 'driver'> & {
  server_id: string
  /** Null: no package is asked for. */
  name: string | null
  version: string | null
  digest: string | null
}

/** Tags in alphabetical order, attached volumes in that of their devices and, where asked for, which software is wanted, by server. */
export async function besideInCells(
  ctx: Ctx,
  ids: readonly string[],
  { software }: { software: boolean },
): Promise<InCell> {
  const found: InCell = { tags: new Map(), volumes: new Map(), software: new Map() }
  if (ids.length === 0) return found
  for (const db of cellDatabases(ctx.cells)) {
    const more = software ? ', null as driver, null as version, null as digest' : ''
    const s = statement(db, `select server_id, tag as name, null as position, null as goes${more}`)
    const tagged = fromEach(s, { table: 'compute_server_tags', as: 't', column: 'server_id' }, ids)
    s.text += ` from ${tagged.from} where ${tagged.where}`
    s.text += ` union all select server_id, volume_id, position, delete_on_termination${more}`
    const devices = fromEach(s, { table: 'compute_block_devices', as: 'd', column: 'server_id' }, ids)
    s.text += ` from ${devices.from} where ${devices.where}`
    s.text += " and kind = 'volume' and volume_id is not null and attachment_id is not null"
    if (software) {
      const asked = fromEach(s, { table: 'compute_server_software', as: 's', column: 'server_id' }, ids)
      s.text += ' union all select s.server_id, p.name, null, null, s.driver, p.wanted_version, s.manifest_sha256'
      s.text += ` from ${asked.from} left join compute_server_packages p on p.server_id = s.server_id and p.wanted = 1`
      s.text += ` where ${asked.where}`
    }
    s.text += ' order by 3, 2'
    for (const row of (await run<Held | Wanted>(db, s)).rows) {
      if (row.driver) addWanted(found.software, row)
      else if (row.position === null) add(found.tags, row.server_id, row.name)
      else add(found.volumes, row.server_id, { id: row.name, delete_on_termination: row.goes !== 0 })
    }
  }
  return found
}

function addWanted(requests: InCell['software'], { server_id, driver, name, version, digest }: Wanted): void {
  const request = requests.get(server_id) ?? {
    driver,
    packages: [],
    ...(digest !== null && { manifest_sha256: digest }),
  }
  if (name !== null) request.packages.push({ name, ...(version !== null && { version }) })
  requests.set(server_id, request)
}

export interface InAll {
  specs: Map<string, RequestSpec>
  groups: Map<string, string[]>
}

/** Request specs and groups, by server. */
export async function besideInAll(ctx: Ctx, ids: readonly string[]): Promise<InAll> {
  const found: InAll = { specs: new Map(), groups: new Map() }
  if (ids.length === 0) return found
  const s = statement(ctx.db, 'select server_id, spec, null as group_id')
  const specs = fromEach(s, { table: 'compute_request_specs', as: 's', column: 'server_id' }, ids)
  s.text += ` from ${specs.from} where ${specs.where} union all select server_id, null, group_id`
  const members = fromEach(s, { table: 'compute_server_group_members', as: 'm', column: 'server_id' }, ids)
  s.text += ` from ${members.from} where ${members.where}`
  // Servers of one request have one text.
  const read = new Map<string, RequestSpec>()
  type Beside = { server_id: string; spec: string | null; group_id: string | null }
  for (const { server_id, spec, group_id } of (await run<Beside>(ctx.db, s)).rows) {
    if (group_id !== null) add(found.groups, server_id, group_id)
    if (spec === null) continue
    if (!read.has(spec)) read.set(spec, JSON.parse(spec) as RequestSpec)
    found.specs.set(server_id, read.get(spec)!)
  }
  return found
}

function add<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key)
  if (list) list.push(item)
  else lists.set(key, [item])
}
