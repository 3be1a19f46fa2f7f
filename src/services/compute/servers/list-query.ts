/** The query of server lists: which filters and sort keys there are, who may use them, and what they ask of the database. */
import type { Ctx } from '#kernel/context.ts'
import type { ListOptions, Where } from '#kernel/db/rows.ts'
import { BadRequest, Forbidden } from '#kernel/errors.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import { booleanOf, isAdmin, pageQuery, query } from '../dialect.ts'
import { addColumnFilter, type Conditions, columnFilters } from './column-filters.ts'
import { type ServerRow, statesOf } from './server.ts'
import { tagCondition } from './store-tags.ts'

export const allFilters = rule('os_compute_api:servers:allow_all_filters', admin)

/** Filters for everyone, by the version from which on they are. */
const openFilters = {
  '2.1': ['reservation_id', 'name', 'status', 'image', 'flavor', 'ip', 'changes-since', 'all_tenants'],
  '2.5': ['ip6'],
  '2.26': ['tags', 'tags-any', 'not-tags', 'not-tags-any'],
  '2.66': ['changes-before'],
  '2.73': ['locked'],
  '2.83': [
    'availability_zone',
    'config_drive',
    'key_name',
    'created_at',
    'launched_at',
    'terminated_at',
    'power_state',
    'task_state',
    'vm_state',
    'progress',
    'user_id',
  ],
  '2.90': ['hostname'],
} as const

const sortColumns: Record<string, keyof ServerRow & string> = {
  ...Object.fromEntries(
    (
      [
        ['access_ip_v4', 'access_ip_v6', 'availability_zone', 'config_drive', 'created_at', 'display_description'],
        [
          'display_name',
          'host',
          'hostname',
          'image_ref',
          'key_name',
          'launch_index',
          'launched_at',
          'locked_by',
          'node',
        ],
        [
          'power_state',
          'progress',
          'project_id',
          'root_device_name',
          'task_state',
          'updated_at',
          'user_id',
          'vm_state',
        ],
      ] as (keyof ServerRow & string)[][]
    )
      .flat()
      .map(column => [column, column]),
  ),
  auto_disk_config: 'disk_config',
  instance_type_id: 'flavor_id',
  uuid: 'id',
  locked: 'locked_by',
}

/** Sort keys that are taken and have no effect. */
const ignoredSortKeys = [
  ...[
    'architecture',
    'cell_name',
    'cleaned',
    'default_ephemeral_device',
    'default_swap_device',
    'deleted',
    'deleted_at',
  ],
  ...['disable_terminate', 'ephemeral_gb', 'ephemeral_key_uuid', 'id', 'kernel_id', 'key_data', 'launched_on'],
  ...['memory_mb', 'os_type', 'ramdisk_id', 'reservation_id', 'root_gb', 'shutdown_terminate', 'terminated_at'],
  ...['user_data', 'vcpus', 'vm_mode'],
]

const words = Type.Optional(Type.Unsafe<string[]>({ type: 'array', items: { type: 'string' } }))
const time = Type.String({ format: 'date-time' })

export const listQuery = query({
  ...pageQuery,
  ...Object.fromEntries(Object.keys(columnFilters).map(name => [name, words])),
  kernel_id: words,
  ramdisk_id: words,
  terminated_at: words,
  auto_disk_config: words,
  sort_key: Type.Optional(
    Type.Unsafe<string[]>({
      type: 'array',
      items: { type: 'string', enum: [...Object.keys(sortColumns), ...ignoredSortKeys] },
    }),
  ),
  sort_dir: words,
  all_tenants: words,
  soft_deleted: words,
  deleted: words,
  status: words,
  'changes-since': Type.Optional(time),
  ip: words,
  ip6: words,
  tags: since('2.26', Type.String()),
  'tags-any': since('2.26', Type.String()),
  'not-tags': since('2.26', Type.String()),
  'not-tags-any': since('2.26', Type.String()),
  'changes-before': since('2.66', time),
  locked: since('2.73', Type.String()),
})

type Query = Record<string, string | string[] | number | undefined>

export interface ListRequest extends Conditions {
  where: Where<ServerRow>
  orderBy: NonNullable<ListOptions<ServerRow>['orderBy']>
  allTenants: boolean
  /** Deleted servers: only them, none of them, or both. */
  deleted: 'only' | 'none' | 'both'
  /** ISO 8601. */
  changesSince: string | undefined
  changesBefore: string | undefined
  /** Patterns that one of a server's addresses has to contain. */
  addresses: string[]
  /** True when a filter can match nothing. */
  nothing: boolean
}

const textOf = (value: Query[string]): string | undefined => {
  const [last] = [value].flat().slice(-1)
  return last === undefined ? undefined : String(last)
}
const listOf = (value: Query[string]): string[] => (value === undefined ? [] : [value].flat().map(String))

/** Reads a query; what the caller may not ask for is left out, as upstream does. */
export function readQuery(ctx: Ctx, sent: Query): ListRequest {
  refuseInternal(sent)
  const asked = permitted(ctx, sent)
  const request: ListRequest = {
    where: {},
    also: [],
    orderBy: orderOf(ctx, sent),
    allTenants: allTenantsOf(asked),
    deleted: 'none',
    changesSince: isoOf(asked['changes-since']),
    changesBefore: isoOf(asked['changes-before']),
    addresses: [...listOf(asked.ip), ...listOf(asked.ip6)],
    checks: [],
    nothing: false,
  }
  for (const [name, value] of Object.entries(asked)) addColumnFilter(request, name, listOf(value))
  addStatus(ctx, request, listOf(asked.status))
  addTags(request, asked)
  addTimes(ctx, request, asked)
  addSoftDeleted(request, asked)
  if (asked.locked !== undefined)
    request.where.locked_by = booleanOf(textOf(asked.locked)!) ? { op: '!=', value: null } : null
  return request
}

function refuseInternal(sent: Query): void {
  const joined = ['block_device_mapping', 'services', 'metadata', 'system_metadata', 'info_cache', 'security_groups']
  const internal = Object.keys(sent).find(name => name.startsWith('_') || [...joined, 'pci_devices'].includes(name))
  if (internal !== undefined) throw new BadRequest(`Invalid filter field: ${internal}.`)
}

function permitted(ctx: Ctx, sent: Query): Query {
  if (ctx.can(allFilters)) return sent
  const open = Object.entries(openFilters).flatMap(([version, names]) =>
    ctx.atLeast(version as keyof typeof openFilters) ? names : [],
  ) as string[]
  return Object.fromEntries(Object.entries(sent).filter(([name]) => open.includes(name)))
}

function allTenantsOf(asked: Query): boolean {
  const value = textOf(asked.all_tenants)
  if (value === undefined) return false
  if (value === '') return true
  const chosen = booleanOf(value)
  if (chosen === undefined) throw new BadRequest(`Invalid input for query parameters all_tenants. Value: ${value}.`)
  return chosen
}

function isoOf(value: Query[string]): string | undefined {
  const text = textOf(value)
  return text === undefined ? undefined : new Date(/[zZ]|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`).toISOString()
}

function addStatus(ctx: Ctx, request: ListRequest, statuses: string[]): void {
  if (statuses.length === 0) return
  if (statuses.some(status => status.toUpperCase() === 'DELETED')) {
    if (!isAdmin(ctx)) throw new Forbidden('Only administrators may list deleted instances')
    request.deleted = 'only'
    return
  }
  const states = statuses.flatMap(statesOf)
  if (states.length === 0) {
    if (ctx.atLeast('2.38')) throw new BadRequest('Invalid status value')
    request.nothing = true
  }
  request.also.push(eb =>
    eb.or(
      states.map(({ vm_state, task_states }) =>
        task_states
          ? eb.and([eb('vm_state', '=', vm_state), eb('task_state', 'in', task_states)])
          : eb('vm_state', '=', vm_state),
      ),
    ),
  )
}

function addTags(request: ListRequest, asked: Query): void {
  for (const kind of ['tags', 'tags-any', 'not-tags', 'not-tags-any'] as const) {
    const text = textOf(asked[kind])
    if (text !== undefined) request.also.push(eb => tagCondition(eb, kind, text.split(',')))
  }
}

function addTimes(ctx: Ctx, request: ListRequest, asked: Query): void {
  const { changesSince, changesBefore } = request
  if (changesSince !== undefined && changesBefore !== undefined && changesBefore < changesSince) {
    throw new BadRequest('The value of changes-since must be less than or equal to changes-before.')
  }
  if (changesSince !== undefined) request.also.push(eb => eb('updated_at', '>=', changesSince))
  if (changesBefore !== undefined) request.also.push(eb => eb('updated_at', '<=', changesBefore))
  const wanted = textOf(asked.deleted)
  if (wanted !== undefined && isAdmin(ctx)) request.deleted = booleanOf(wanted) ? 'only' : 'none'
  else if ((changesSince ?? changesBefore) !== undefined && request.deleted === 'none') request.deleted = 'both'
}

/** Servers whose deletion is deferred are listed for those who ask for them, or for what changed. */
function addSoftDeleted(request: ListRequest, asked: Query): void {
  const named = [
    ...listOf(asked.vm_state),
    ...listOf(asked.status)
      .flatMap(statesOf)
      .map(state => state.vm_state),
  ]
  if (request.deleted === 'both' || named.includes('soft-delete') || booleanOf(textOf(asked.soft_deleted) ?? '')) return
  request.also.push(eb => eb('vm_state', '!=', 'soft-delete'))
}

function orderOf(ctx: Ctx, sent: Query): ListRequest['orderBy'] {
  const directions = listOf(sent.sort_dir)
  const orderBy: ListRequest['orderBy'] = []
  for (const [index, key] of listOf(sent.sort_key).entries()) {
    const direction = directions[index] ?? 'desc'
    if (direction !== 'asc' && direction !== 'desc') {
      throw new BadRequest(`Unknown sort direction, must be one of: asc, desc`)
    }
    if ((key === 'host' || key === 'node') && !isAdmin(ctx)) {
      throw new Forbidden(`Only administrators can sort servers by ${key}`)
    }
    const column = Object.hasOwn(sortColumns, key) ? sortColumns[key] : undefined
    if (column && !orderBy.some(known => known.column === column)) orderBy.push({ column, direction })
  }
  for (const column of ['created_at', 'id'] as const) {
    if (!orderBy.some(known => known.column === column)) orderBy.push({ column, direction: 'desc' })
  }
  return orderBy
}
