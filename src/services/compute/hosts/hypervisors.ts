/** Hosts as hypervisors (os-hypervisors): what each has, how much of it is used, which servers it runs. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { byVersion, since, until } from '#kernel/schema/marks.ts'
import { isUuid } from '#kernel/schema/validate.ts'
import { body, flag, hostName, isTrue, linksSchema, numberedRow, pageQuery, paging } from '../dialect.ts'
import { listServers } from '../servers/store.ts'
import { loadsOfHosts } from '../servers/store-loads.ts'
import { type HostRow, isUp } from './host.ts'
import { hosts, inOrder } from './store.ts'
import { type HostUsage, uptimeText, usageOfHost } from './usage.ts'

const rules = {
  list: rule('os_compute_api:os-hypervisors:list', admin),
  detail: rule('os_compute_api:os-hypervisors:list-detail', admin),
  show: rule('os_compute_api:os-hypervisors:show', admin),
  statistics: rule('os_compute_api:os-hypervisors:statistics', admin),
  uptime: rule('os_compute_api:os-hypervisors:uptime', admin),
  search: rule('os_compute_api:os-hypervisors:search', admin),
  servers: rule('os_compute_api:os-hypervisors:servers', admin),
}

const anyId = Type.Union([Type.Integer(), Type.String()])
const serversField = Type.Optional(Type.Array(Type.Object({ uuid: Type.String(), name: Type.String() })))

const summary = Type.Object({
  id: anyId,
  hypervisor_hostname: Type.String(),
  state: Type.String(),
  status: Type.String(),
  servers: serversField,
})

const detail = Type.Object({
  ...summary.properties,
  hypervisor_type: Type.String(),
  hypervisor_version: Type.Integer(),
  host_ip: Type.String(),
  service: Type.Object({
    id: anyId,
    host: Type.String(),
    disabled_reason: Type.Union([Type.String(), Type.Null()]),
  }),
  vcpus: until('2.87', Type.Integer()),
  memory_mb: until('2.87', Type.Integer()),
  local_gb: until('2.87', Type.Integer()),
  vcpus_used: until('2.87', Type.Integer()),
  memory_mb_used: until('2.87', Type.Integer()),
  local_gb_used: until('2.87', Type.Integer()),
  free_ram_mb: until('2.87', Type.Integer()),
  free_disk_gb: until('2.87', Type.Integer()),
  current_workload: until('2.87', Type.Integer()),
  running_vms: until('2.87', Type.Integer()),
  disk_available_least: until('2.87', Type.Integer()),
  /** Text of JSON before 2.28. */
  cpu_info: until('2.87', Type.Unknown()),
  uptime: since('2.88', Type.Union([Type.String(), Type.Null()])),
})

type Servers = Map<string, { uuid: string; name: string }[]>

function summaryView(ctx: Ctx, row: HostRow, servers?: Servers) {
  const its = servers?.get(row.name) ?? []
  // Until 2.75 a host without servers had no such member.
  const shown = servers && (its.length > 0 || ctx.atLeast('2.75')) ? { servers: its } : {}
  return {
    id: ctx.atLeast('2.53') ? row.provider_uuid : row.id,
    hypervisor_hostname: row.facts.hypervisor_hostname,
    state: isUp(ctx, row) ? 'up' : 'down',
    status: row.disabled ? 'disabled' : 'enabled',
    ...shown,
  }
}

function detailView(ctx: Ctx, row: HostRow, usage: HostUsage, servers?: Servers) {
  const { facts } = row
  return {
    ...summaryView(ctx, row, servers),
    hypervisor_type: facts.hypervisor_type,
    hypervisor_version: facts.hypervisor_version,
    host_ip: row.machine.address,
    service: {
      id: ctx.atLeast('2.53') ? row.uuid : row.id,
      host: row.name,
      disabled_reason: row.disabled_reason,
    },
    ...usage,
    cpu_info: ctx.atLeast('2.28') ? facts.cpu_info : JSON.stringify(facts.cpu_info),
    uptime: isUp(ctx, row) ? uptimeText(ctx, row) : null,
  }
}

async function serversOf(ctx: Ctx, rows: HostRow[]): Promise<Servers> {
  const found = await listServers(ctx, { host: rows.map(row => row.name) })
  const named = found.map(server => ({ host: server.host!, uuid: server.id, name: server.hostname }))
  const byHost = Map.groupBy(named, server => server.host)
  return new Map([...byHost].map(([host, its]) => [host, its.map(({ uuid, name }) => ({ uuid, name }))]))
}

/** Hosts whose name has the text in it; at least one. */
async function matching(ctx: Ctx, pattern: string): Promise<HostRow[]> {
  const found = (await hosts.list(ctx.db, {}, inOrder)).filter(row => row.facts.hypervisor_hostname.includes(pattern))
  if (found.length === 0) throw new NotFound(`No hypervisor matching '${pattern}' could be found.`)
  return found
}

const newestQuery = {
  ...pageQuery,
  hypervisor_hostname_pattern: Type.Optional(hostName),
  with_servers: Type.Optional(flag),
}
const listQuery = byVersion(
  {
    '2.1': Type.Object({}),
    '2.33': Type.Object(pageQuery),
    '2.53': Type.Object(newestQuery, { additionalProperties: false }),
  },
  Type.Object(newestQuery),
)

interface ListQuery {
  limit?: number
  marker?: string
  hypervisor_hostname_pattern?: string
  with_servers?: boolean | string
}

async function pageOf(ctx: Ctx, asked: ListQuery, url: string) {
  const page = paging(ctx, ctx.atLeast('2.33') ? asked.limit : undefined)
  const pattern = ctx.atLeast('2.53') ? asked.hypervisor_hostname_pattern : undefined
  const withServers = ctx.atLeast('2.53') && isTrue(asked.with_servers)
  if (pattern !== undefined && (asked.limit !== undefined || asked.marker !== undefined))
    throw new BadRequest(
      'Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.',
    )
  const rows = pattern === undefined ? await rowsOf(ctx, asked, page.limit) : await matching(ctx, pattern)
  const last = rows.at(-1)
  const marker = last && (ctx.atLeast('2.53') ? last.provider_uuid : String(last.id))
  return {
    rows,
    servers: withServers ? await serversOf(ctx, rows) : undefined,
    links: pattern === undefined ? page.links('hypervisors_links', url, rows.length, marker) : {},
  }
}

async function rowsOf(ctx: Ctx, asked: ListQuery, limit: number): Promise<HostRow[]> {
  if (!ctx.atLeast('2.33')) return hosts.list(ctx.db, {}, inOrder)
  if (asked.marker === undefined) return hosts.list(ctx.db, {}, { ...inOrder, limit })
  const where = isUuid(asked.marker) ? { provider_uuid: asked.marker } : { id: numberedRow(asked.marker) }
  const after = await hosts.find(ctx.db, where)
  if (!after) throw new BadRequest(`marker [${asked.marker}] not found`)
  return hosts.list(ctx.db, {}, { ...inOrder, limit, after })
}

/** Shown until 2.87: counted only then. */
const workOf = async (ctx: Ctx) => (ctx.atLeast('2.88') ? undefined : loadsOfHosts(ctx))

const hypervisorsLinks = since('2.33', linksSchema)

const list = operation({
  id: 'compute.hypervisors.list',
  method: 'GET',
  path: '/v2.1/os-hypervisors',
  summary: 'List hypervisors',
  policy: rules.list,
  query: listQuery,
  response: Type.Object({ hypervisors: Type.Array(summary), hypervisors_links: hypervisorsLinks }),
  async handle(ctx, { query, url }) {
    const { rows, servers, links } = await pageOf(ctx, query, url)
    return { hypervisors: rows.map(row => summaryView(ctx, row, servers)), ...links }
  },
})

const listDetail = operation({
  id: 'compute.hypervisors.detail',
  method: 'GET',
  path: '/v2.1/os-hypervisors/detail',
  summary: 'List hypervisors with details',
  policy: rules.detail,
  query: listQuery,
  response: Type.Object({ hypervisors: Type.Array(detail), hypervisors_links: hypervisorsLinks }),
  async handle(ctx, { query, url }) {
    const { rows, servers, links } = await pageOf(ctx, query, url)
    const work = await workOf(ctx)
    const hypervisors = []
    for (const row of rows) hypervisors.push(detailView(ctx, row, await usageOfHost(ctx, row, work), servers))
    return { hypervisors, ...links }
  },
})

/** The host of a path's id: a UUID from 2.53 on, a number before. */
async function hypervisorOf(ctx: Ctx, id: string): Promise<HostRow> {
  if (ctx.atLeast('2.53') && !isUuid(id)) throw new BadRequest(`Invalid uuid ${id}`)
  const where = ctx.atLeast('2.53') ? { provider_uuid: id } : { id: numberedRow(id) }
  const row = await hosts.find(ctx.db, where)
  if (!row) throw new NotFound(`Hypervisor with ID '${id}' could not be found.`)
  return row
}

const show = operation({
  id: 'compute.hypervisors.show',
  method: 'GET',
  path: '/v2.1/os-hypervisors/{hypervisor_id}',
  summary: 'Show a hypervisor',
  policy: rules.show,
  query: byVersion(
    {
      '2.1': Type.Object({}),
      '2.53': Type.Object({ with_servers: Type.Optional(flag) }, { additionalProperties: false }),
    },
    Type.Object({ with_servers: Type.Optional(flag) }),
  ),
  response: body('hypervisor', detail),
  async handle(ctx, { params, query }) {
    const row = await hypervisorOf(ctx, params.hypervisor_id)
    const servers = ctx.atLeast('2.53') && isTrue(query.with_servers) ? await serversOf(ctx, [row]) : undefined
    return { hypervisor: detailView(ctx, row, await usageOfHost(ctx, row, await workOf(ctx)), servers) }
  },
})

const uptime = operation({
  id: 'compute.hypervisors.uptime',
  method: 'GET',
  path: '/v2.1/os-hypervisors/{hypervisor_id}/uptime',
  summary: "Show a hypervisor's uptime",
  versions: { max: '2.87' },
  policy: rules.uptime,
  response: body('hypervisor', Type.Object({ ...summary.properties, uptime: Type.String() })),
  async handle(ctx, { params }) {
    const row = await hypervisorOf(ctx, params.hypervisor_id)
    if (!isUp(ctx, row)) throw new BadRequest(`Compute service of ${row.name} is unavailable at this time.`)
    return { hypervisor: { ...summaryView(ctx, row), uptime: uptimeText(ctx, row) } }
  },
})

const search = operation({
  id: 'compute.hypervisors.search',
  method: 'GET',
  path: '/v2.1/os-hypervisors/{pattern}/search',
  summary: 'Find hypervisors by a part of their name',
  versions: { max: '2.52' },
  policy: rules.search,
  response: body('hypervisors', Type.Array(summary)),
  async handle(ctx, { params }) {
    return { hypervisors: (await matching(ctx, params.pattern)).map(row => summaryView(ctx, row)) }
  },
})

const servers = operation({
  id: 'compute.hypervisors.servers',
  method: 'GET',
  path: '/v2.1/os-hypervisors/{pattern}/servers',
  summary: 'Find hypervisors by a part of their name, with their servers',
  versions: { max: '2.52' },
  policy: rules.servers,
  response: body('hypervisors', Type.Array(summary)),
  async handle(ctx, { params }) {
    const rows = await matching(ctx, params.pattern)
    const its = await serversOf(ctx, rows)
    return { hypervisors: rows.map(row => summaryView(ctx, row, its)) }
  },
})

const statistics = operation({
  id: 'compute.hypervisors.statistics',
  method: 'GET',
  path: '/v2.1/os-hypervisors/statistics',
  summary: 'Sums over all hypervisors that are enabled',
  versions: { max: '2.87' },
  policy: rules.statistics,
  response: body('hypervisor_statistics', Type.Record(Type.String(), Type.Integer())),
  async handle(ctx) {
    const rows = (await hosts.list(ctx.db, {}, inOrder)).filter(row => !row.disabled)
    const work = await workOf(ctx)
    const sums: Record<string, number> = { count: rows.length }
    for (const row of rows)
      for (const [key, value] of Object.entries(await usageOfHost(ctx, row, work))) sums[key] = (sums[key] ?? 0) + value
    return { hypervisor_statistics: sums }
  },
})

export const hypervisorOperations: Operation[] = [list, listDetail, show, uptime, search, servers, statistics]
