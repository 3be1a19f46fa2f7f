/** Flavors: list, show, create, change the description, delete. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import type { ListOptions } from '#kernel/db/rows.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { byVersion, since, until } from '#kernel/schema/marks.ts'
import {
  body,
  booleanOf,
  description,
  flag,
  integerOf,
  isAdmin,
  isTrue,
  linksSchema,
  name,
  pageQuery,
  paging,
  query,
  wholeNumber,
} from '../dialect.ts'
import { tellFlavor } from '../resource-events.ts'
import { accessOperations } from './access.ts'
import { extraSpecOperations } from './extra-specs.ts'
import { detailView, type FlavorRow, flavorDetail, flavorSummary, summaryView } from './flavor.ts'
import { flavorAccess, flavorFor, flavors, listFlavors } from './store.ts'
import { numberFlavors } from './store-numbers.ts'

/** The names that a list may be sorted by, and their columns. */
const sortColumns = {
  created_at: 'created_at',
  description: 'description',
  disabled: 'disabled',
  ephemeral_gb: 'ephemeral_gb',
  flavorid: 'id',
  id: 'created_at',
  is_public: 'is_public',
  memory_mb: 'memory_mb',
  name: 'name',
  root_gb: 'root_gb',
  rxtx_factor: 'rxtx_factor',
  swap: 'swap',
  updated_at: 'updated_at',
  vcpu_weight: 'id',
  vcpus: 'vcpus',
} as const satisfies Record<string, keyof FlavorRow>

const sortKey = (...without: string[]) =>
  Type.Unsafe<keyof typeof sortColumns>({
    type: 'string',
    enum: Object.keys(sortColumns).filter(key => !without.includes(key)),
  })

const listQuery = query({
  ...pageQuery,
  is_public: Type.Optional(Type.String()),
  minRam: Type.Optional(Type.String()),
  minDisk: Type.Optional(Type.String()),
  sort_key: Type.Optional(byVersion({ '2.1': sortKey(), '2.102': sortKey('rxtx_factor') }, sortKey())),
  sort_dir: Type.Optional(Type.Unsafe<'asc' | 'desc'>({ type: 'string', enum: ['asc', 'desc'] })),
  name: since('2.102', Type.String({ maxLength: 255 })),
})

type ListQuery = Static<typeof listQuery>

/** Only admins may look for flavors that are not public. */
function wantedPublic(ctx: Ctx, text: string | undefined): boolean | null {
  if (text === undefined || !isAdmin(ctx)) return true
  if (text.toLowerCase() === 'none') return null
  const value = booleanOf(text)
  if (value === undefined) throw new BadRequest(`Invalid is_public filter [${text}]`)
  return value
}

function atLeastFilter(key: 'minRam' | 'minDisk', asked: ListQuery): number | undefined {
  const text = asked[key]
  if (text === undefined) return undefined
  if (!/^-?\d+$/.test(text)) throw new BadRequest(`Invalid ${key} filter [${text}]`)
  return Number(text)
}

async function pageOf(ctx: Ctx, asked: ListQuery, limit: number): Promise<FlavorRow[]> {
  const direction = asked.sort_dir ?? 'asc'
  const column = sortColumns[asked.sort_key ?? 'flavorid']
  const options: ListOptions<FlavorRow> = {
    orderBy: [{ column, direction }, ...(column === 'id' ? [] : [{ column: 'id' as const, direction }])],
    limit,
  }
  if (asked.marker !== undefined) {
    const after = await flavors.find(ctx.db, { id: asked.marker })
    if (!after) throw new BadRequest(`marker [${asked.marker}] not found`)
    options.after = after
  }
  return listFlavors(
    ctx,
    {
      is_public: wantedPublic(ctx, asked.is_public),
      min_ram: atLeastFilter('minRam', asked),
      min_disk: atLeastFilter('minDisk', asked),
      name: ctx.atLeast('2.102') ? asked.name : undefined,
      ...(!isAdmin(ctx) && { disabled: false }),
    },
    options,
  )
}

export const listFlavorSummaries = operation({
  id: 'compute.flavors.list',
  method: 'GET',
  path: '/v2.1/flavors',
  summary: 'List flavors',
  policy: 'authenticated',
  query: listQuery,
  response: Type.Object({ flavors: Type.Array(flavorSummary), flavors_links: Type.Optional(linksSchema) }),
  async handle(ctx, { query, url }) {
    const page = paging(ctx, query.limit)
    const found = await pageOf(ctx, query, page.limit)
    return {
      flavors: found.map(row => summaryView(ctx, row)),
      ...page.links('flavors_links', url, found.length, found.at(-1)?.id),
    }
  },
})

export const listFlavorDetails = operation({
  id: 'compute.flavors.detail',
  method: 'GET',
  path: '/v2.1/flavors/detail',
  summary: 'List flavors with details',
  policy: 'authenticated',
  query: listQuery,
  response: Type.Object({ flavors: Type.Array(flavorDetail), flavors_links: Type.Optional(linksSchema) }),
  async handle(ctx, { query, url }) {
    const page = paging(ctx, query.limit)
    const found = await pageOf(ctx, query, page.limit)
    return {
      flavors: found.map(row => detailView(ctx, row)),
      ...page.links('flavors_links', url, found.length, found.at(-1)?.id),
    }
  },
})

export const showFlavor = operation({
  id: 'compute.flavors.show',
  method: 'GET',
  path: '/v2.1/flavors/{flavor_id}',
  summary: 'Show a flavor',
  policy: 'authenticated',
  response: body('flavor', flavorDetail),
  handle: async (ctx, { params }) => ({ flavor: detailView(ctx, await flavorFor(ctx, params.flavor_id)) }),
})

const flavorId = Type.Unsafe<string | number | null>({
  type: ['string', 'number', 'null'],
  minLength: 1,
  maxLength: 255,
  pattern: '^(?! )[a-zA-Z0-9. _-]+(?<! )$',
})

const newFlavor = Type.Object(
  {
    name,
    id: Type.Optional(flavorId),
    ram: wholeNumber(1),
    vcpus: wholeNumber(1),
    disk: wholeNumber(0),
    'OS-FLV-EXT-DATA:ephemeral': Type.Optional(wholeNumber(0)),
    swap: Type.Optional(wholeNumber(0)),
    rxtx_factor: until(
      '2.101',
      Type.Unsafe<number | string>({
        type: ['number', 'string'],
        pattern: '^[0-9]+(\\.[0-9]+)?$',
        exclusiveMinimum: 0,
        maximum: 3.40282e38,
      }),
    ),
    'os-flavor-access:is_public': Type.Optional(flag),
    description: since('2.55', description(65_535)),
  },
  { additionalProperties: false },
)

function rowOf(ctx: Ctx, asked: Static<typeof newFlavor>): FlavorRow {
  const rxtx = Number(asked.rxtx_factor ?? 1)
  if (!(rxtx > 0 && rxtx <= 3.40282e38))
    throw new BadRequest("Invalid input received: 'rxtx_factor' argument must be a float between 0 and 3.40282e+38")
  return {
    id: asked.id === undefined || asked.id === null ? ctx.ids.uuid() : String(asked.id),
    name: asked.name,
    memory_mb: integerOf(asked.ram, 'ram', 1),
    vcpus: integerOf(asked.vcpus, 'vcpus', 1),
    root_gb: integerOf(asked.disk, 'disk', 0),
    ephemeral_gb: integerOf(asked['OS-FLV-EXT-DATA:ephemeral'] ?? 0, 'ephemeral', 0),
    swap: integerOf(asked.swap ?? 0, 'swap', 0),
    rxtx_factor: rxtx,
    is_public: isTrue(asked['os-flavor-access:is_public'] ?? true),
    disabled: false,
    description: asked.description ?? null,
    extra_specs: {},
    created_at: new Date(ctx.clock.now()).toISOString(),
    updated_at: null,
  }
}

/** Those that a flavor which is not public is for. */
async function projectsOf(ctx: Ctx, flavor_id: string): Promise<string[]> {
  return (await flavorAccess.list(ctx.db, { flavor_id })).map(row => row.project_id)
}

export const createFlavor = operation({
  id: 'compute.flavors.create',
  method: 'POST',
  path: '/v2.1/flavors',
  summary: 'Create a flavor',
  policy: rule('os_compute_api:os-flavor-manage:create', admin),
  request: body('flavor', newFlavor),
  response: body('flavor', flavorDetail),
  async handle(ctx, { body: { flavor } }) {
    const row = rowOf(ctx, flavor)
    if (await flavors.find(ctx.db, { name: row.name }))
      throw new Conflict(`Flavor with name ${row.name} already exists.`)
    try {
      await ctx.transaction(async tx => {
        await flavors.insert(tx.db, row)
        await numberFlavors(tx, [row.id])
        await tellFlavor(tx, 'create', row, [])
      })
    } catch (error) {
      if (!(error instanceof UniqueViolation)) throw error
      throw new Conflict(`Flavor with ID ${row.id} already exists.`)
    }
    return { flavor: detailView(ctx, row) }
  },
})

export const updateFlavor = operation({
  id: 'compute.flavors.update',
  method: 'PUT',
  path: '/v2.1/flavors/{flavor_id}',
  summary: "Change a flavor's description",
  versions: { min: '2.55' },
  policy: rule('os_compute_api:os-flavor-manage:update', admin),
  request: body('flavor', Type.Object({ description: description(65_535) }, { additionalProperties: false })),
  response: body('flavor', flavorDetail),
  async handle(ctx, { params, body: { flavor } }) {
    const row = await flavorFor(ctx, params.flavor_id)
    const patch = { description: flavor.description, updated_at: new Date(ctx.clock.now()).toISOString() }
    const changed = { ...row, ...patch }
    await ctx.transaction(async tx => {
      await flavors.update(tx.db, { id: row.id }, patch)
      await tellFlavor(tx, 'update', changed, await projectsOf(tx, row.id))
    })
    return { flavor: detailView(ctx, changed) }
  },
})

export const deleteFlavor = operation({
  id: 'compute.flavors.delete',
  method: 'DELETE',
  path: '/v2.1/flavors/{flavor_id}',
  summary: 'Delete a flavor',
  status: 202,
  policy: rule('os_compute_api:os-flavor-manage:delete', admin),
  async handle(ctx, { params }) {
    await ctx.transaction(async tx => {
      const row = await flavors.find(tx.db, { id: params.flavor_id })
      if (!row) throw new NotFound(`Flavor ${params.flavor_id} could not be found.`)
      await tellFlavor(tx, 'delete', row, await projectsOf(tx, row.id))
      await flavors.remove(tx.db, { id: row.id })
      await flavorAccess.remove(tx.db, { flavor_id: params.flavor_id })
    })
    return undefined
  },
})

export const flavorOperations: Operation[] = [
  listFlavorSummaries,
  listFlavorDetails,
  showFlavor,
  createFlavor,
  updateFlavor,
  deleteFlavor,
  ...extraSpecOperations,
  ...accessOperations,
]
