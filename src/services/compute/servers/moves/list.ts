/** All moves of the cloud, as os-migrations lists them. */
import type { Ctx } from '#kernel/context.ts'
import type { Where } from '#kernel/db/rows.ts'
import { BadRequest } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, projectManagerOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { byVersion, since } from '#kernel/schema/marks.ts'
import { afterMarker, type Link, linksSchema, naiveTime, newestFirst, paging, resourceLinks } from '../../dialect.ts'
import { numbersOfFlavors } from '../../flavors/store-numbers.ts'
import { liveStatuses, type MoveRow } from './move.ts'
import { moves } from './store.ts'

const allProjects = rule('os_compute_api:os-migrations:index:all_projects', admin)
const showHosts = rule('os_compute_api:os-migrations:index:host', admin)
export const moveListRules = [allProjects, showHosts]

const nullable = Type.Union([Type.String(), Type.Null()])
const number = Type.Union([Type.Integer(), Type.Null()])

const migration = Type.Object({
  created_at: Type.String(),
  dest_compute: nullable,
  dest_host: nullable,
  dest_node: nullable,
  id: Type.Integer(),
  instance_uuid: Type.String(),
  new_instance_type_id: number,
  old_instance_type_id: number,
  source_compute: nullable,
  source_node: nullable,
  status: Type.String(),
  updated_at: nullable,
  migration_type: since('2.23', Type.String()),
  links: since('2.23', linksSchema),
  uuid: since('2.59', Type.String()),
  user_id: since('2.80', nullable),
  project_id: since('2.80', nullable),
})

const word = Type.Optional(Type.String())
const filters = {
  hidden: word,
  host: word,
  instance_uuid: word,
  source_compute: word,
  status: word,
  migration_type: word,
}
const paged = {
  ...filters,
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  marker: word,
  'changes-since': Type.Optional(Type.String({ format: 'date-time' })),
}
const strict = Type.Object(
  {
    ...paged,
    'changes-before': since('2.66', Type.String({ format: 'date-time' })),
    user_id: since('2.80', Type.String()),
    project_id: since('2.80', Type.String()),
  },
  { additionalProperties: false },
)

async function views(ctx: Ctx, found: readonly MoveRow[], withHosts: boolean) {
  const numbers = await numbersOfFlavors(
    ctx,
    found.flatMap(({ old_flavor, new_flavor }) => [old_flavor.id, new_flavor.id]),
  )
  return found.map(row => view(ctx, row, withHosts, numbers))
}

function view(ctx: Ctx, row: MoveRow, withHosts: boolean, numbers: ReadonlyMap<string, number>) {
  const shown = (value: string | null) => (withHosts ? value : null)
  const going = row.type === 'live-migration' && liveStatuses.includes(row.status)
  const links: Link[] = going ? resourceLinks(ctx, `servers/${row.server_id}/migrations/${row.id}`) : []
  return {
    created_at: naiveTime(row.created_at),
    dest_compute: shown(row.dest_host),
    dest_host: shown(row.dest_address),
    dest_node: shown(row.dest_node),
    id: row.id,
    instance_uuid: row.server_id,
    // None of moves from before flavors had numbers.
    new_instance_type_id: numbers.get(row.new_flavor.id) ?? null,
    old_instance_type_id: numbers.get(row.old_flavor.id) ?? null,
    source_compute: shown(row.source_host),
    source_node: shown(row.source_node),
    status: row.status,
    updated_at: naiveTime(row.updated_at),
    migration_type: row.type,
    ...(links.length > 0 && { links }),
    uuid: row.uuid,
    user_id: row.user_id,
    project_id: row.project_id,
  }
}

export const moveListOperations: Operation[] = [
  operation({
    id: 'compute.migrations.list',
    method: 'GET',
    path: '/v2.1/os-migrations',
    summary: 'List migrations of servers',
    policy: rule('os_compute_api:os-migrations:index', projectManagerOrAdmin),
    query: byVersion({ '2.1': Type.Object(filters), '2.59': strict }, strict),
    response: Type.Object({ migrations: Type.Array(migration), migrations_links: since('2.59', linksSchema) }),
    async handle(ctx, { query: asked, url }) {
      const project = ctx.atLeast('2.80') ? asked.project_id : undefined
      if (project === undefined || project !== ctx.identity.project_id) ctx.enforce(allProjects)
      const withHosts = ctx.can(showHosts)
      const where: Where<MoveRow> = {
        ...(asked.instance_uuid !== undefined && { server_id: asked.instance_uuid }),
        ...(asked.source_compute !== undefined && { source_host: asked.source_compute }),
        ...(asked.status !== undefined && { status: asked.status }),
        ...(asked.migration_type !== undefined && { type: asked.migration_type }),
        ...(project !== undefined && { project_id: project }),
        ...(ctx.atLeast('2.80') && asked.user_id !== undefined && { user_id: asked.user_id }),
      }
      // Nothing is hidden here.
      if (asked.hidden !== undefined && /^(1|true|yes)$/i.test(asked.hidden)) return { migrations: [] }
      if (!ctx.atLeast('2.59')) {
        const all = await moves.list(ctx.db, where, { orderBy: [{ column: 'id', direction: 'asc' }] })
        return { migrations: await views(ctx, all.filter(onHost(asked.host)), withHosts) }
      }
      const page = paging(ctx, asked.limit)
      const found = await pageOf(ctx, where, asked, page.limit)
      const links = page.links('migrations_links', url, found.length, found.at(-1)?.uuid)
      return { migrations: await views(ctx, found, withHosts), ...links }
    },
  }),
]

const onHost = (host: string | undefined) => (row: MoveRow) =>
  host === undefined || row.source_host === host || row.dest_host === host

interface Paged {
  marker?: string | undefined
  host?: string | undefined
  'changes-since'?: string | undefined
  'changes-before'?: string | undefined
}

/** Newest first. */
async function pageOf(ctx: Ctx, where: Where<MoveRow>, asked: Paged, limit: number): Promise<MoveRow[]> {
  const { marker, host } = asked
  const [from, to] = [asked['changes-since'], asked['changes-before']].map(time => time && new Date(time).toISOString())
  if (from && to && to < from) {
    throw new BadRequest('The value of changes-since must be less than or equal to changes-before.')
  }
  const after = await afterMarker(marker, uuid => moves.find(ctx.db, { uuid }))
  return moves.list(ctx.db, where, {
    ...newestFirst,
    ...after,
    limit,
    also: eb =>
      eb.and([
        ...(host === undefined ? [] : [eb.or([eb('source_host', '=', host), eb('dest_host', '=', host)])]),
        ...(from ? [eb('updated_at', '>=', from)] : []),
        ...(to ? [eb('updated_at', '<=', to)] : []),
      ]),
  })
}
