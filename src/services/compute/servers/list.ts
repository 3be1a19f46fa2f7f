/** List servers, by name alone or with details. */
import type { Ctx } from '#kernel/context.ts'
import type { ListOptions } from '#kernel/db/rows.ts'
import { BadRequest } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, projectReaderOrAdmin, type Rule, rule } from '#kernel/policy/rule.ts'
import { type Static, type TSchema, Type } from '#kernel/schema/builders.ts'
import { isAdmin, linksSchema, paging } from '../dialect.ts'
import { type ListRequest, listQuery, readQuery } from './list-query.ts'
import type { ServerRow } from './server.ts'
import { serverSchema } from './server-schema.ts'
import { deletedServers, findServer, listServers, pickServers } from './store.ts'
import { briefColumns, briefView, detailColumns, detailedViews } from './view.ts'

const briefSchema = Type.Object({ id: Type.String(), name: Type.String(), links: linksSchema })

interface Listing<Item extends TSchema, Column extends keyof ServerRow> {
  id: string
  path: string
  summary: string
  rule: Rule
  allTenants: Rule
  item: Item
  /** What the view looks at. */
  columns(ctx: Ctx): readonly Column[]
  view(ctx: Ctx, servers: Pick<ServerRow, Column>[]): Promise<unknown[]>
}

const brief = {
  id: 'compute.servers.list',
  path: '/v2.1/servers',
  summary: 'List servers',
  rule: rule('os_compute_api:servers:index', projectReaderOrAdmin),
  allTenants: rule('os_compute_api:servers:index:get_all_tenants', admin),
  item: briefSchema,
  columns: () => briefColumns,
  view: async (ctx: Ctx, servers: Parameters<typeof briefView>[1][]) => servers.map(server => briefView(ctx, server)),
}

const detailed = {
  id: 'compute.servers.list_detail',
  path: '/v2.1/servers/detail',
  summary: 'List servers with details',
  rule: rule('os_compute_api:servers:detail', projectReaderOrAdmin),
  allTenants: rule('os_compute_api:servers:detail:get_all_tenants', admin),
  item: serverSchema,
  columns: detailColumns,
  view: detailedViews,
}

export const listRules = [brief.allTenants, detailed.allTenants]

function listing<Item extends TSchema, Column extends keyof ServerRow>(list: Listing<Item, Column>) {
  const { id, path, summary, rule: policy, allTenants, item, columns, view } = list
  const response = Type.Object({ servers: Type.Array(item), servers_links: Type.Optional(linksSchema) })
  return operation({
    id,
    method: 'GET',
    path,
    summary,
    policy,
    query: listQuery,
    response,
    async handle(ctx, { query, url }) {
      const request = readQuery(ctx, query as Record<string, string | string[]>)
      if (request.allTenants) ctx.enforce(allTenants)
      const page = paging(ctx, query.limit)
      const servers =
        page.limit === 0
          ? []
          : await select(ctx, ['id', ...columns(ctx)], { request, limit: page.limit, marker: query.marker })
      const links = page.links('servers_links', url, servers.length, servers.at(-1)?.id)
      return { servers: await view(ctx, servers), ...links } as Static<typeof response>
    },
  })
}

export const listOperations: Operation[] = [listing(brief), listing(detailed)]

interface Page {
  request: ListRequest
  limit: number
  marker: string | undefined
}

/** A page of servers, of which these columns are there. */
async function select<K extends keyof ServerRow>(
  ctx: Ctx,
  columns: readonly K[],
  { request, limit, marker }: Page,
): Promise<Pick<ServerRow, K>[]> {
  if (request.nothing) return []
  const after = marker === undefined ? undefined : await markerRow(ctx, marker)
  const where = { ...request.where, ...(!request.allTenants && { project_id: ctx.identity.project_id ?? '' }) }
  const byAddress = request.addresses.length > 0
  const options: ListOptions<ServerRow> = {
    orderBy: request.orderBy,
    also: eb => eb.and(request.also.map(condition => condition(eb))),
    ...(after && { after }),
  }
  const live = async () => {
    if (!byAddress && request.checks.length === 0) return pickServers(ctx, columns, where, { ...options, limit })
    // Addresses are the network's to know, so these are counted after they were asked for.
    const all = await listServers(ctx, where, options)
    const checked = all.filter(row => request.checks.every(check => check(row)))
    return byAddress ? await withAddress(ctx, checked, request.addresses) : checked
  }
  const kept = request.deleted === 'only' ? [] : await live()
  if (request.deleted === 'none') return kept.slice(0, limit)
  return [...kept, ...(await gone(ctx, request))].slice(0, limit)
}

async function markerRow(ctx: Ctx, marker: string): Promise<ServerRow> {
  const row = await findServer(ctx, marker)
  if (!row || (row.project_id !== ctx.identity.project_id && !isAdmin(ctx))) {
    throw new BadRequest(`marker [${marker}] not found`)
  }
  return row
}

/** Servers with an address that begins as one of the patterns does. */
async function withAddress(ctx: Ctx, servers: ServerRow[], patterns: string[]): Promise<ServerRow[]> {
  const starts = patterns.map(pattern =>
    pattern
      .replace(/^\^/, '')
      .replace(/\$$|\.\*$/, '')
      .replaceAll('\\', ''),
  )
  const ports = await ctx.services.network.shownPorts(
    ctx,
    servers.map(server => server.id),
  )
  return servers.filter(({ id }) =>
    (ports.get(id) ?? []).some(port =>
      port.fixed_ips.some(({ ip_address }) =>
        patterns.some((pattern, index) =>
          pattern.endsWith('$') ? ip_address === starts[index] : ip_address.includes(starts[index]!),
        ),
      ),
    ),
  )
}

/** Deleted servers that the request asks for. */
async function gone(ctx: Ctx, request: ListRequest): Promise<ServerRow[]> {
  const found = await deletedServers(ctx, request.changesSince)
  return found.filter(
    row =>
      (request.allTenants || row.project_id === ctx.identity.project_id) &&
      (request.changesBefore === undefined || row.updated_at <= request.changesBefore),
  )
}
