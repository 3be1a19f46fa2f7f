/** Regions, services and endpoints. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Forbidden } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { projectEndpoints } from '../endpoint-groups/store.ts'
import { conflict, notFound } from '../faults.ts'
import { registeredLimits } from '../limits/store.ts'
import { linkTo } from '../listing.ts'
import { policyAssociations } from '../policies/store.ts'
import { allScopes, ofOperators } from '../policy.ts'
import { resource, type Values } from '../resource.ts'
import { identityChanged } from '../revocations/revocation.ts'
import { endpointView, shownUrl } from './catalog.ts'
import { type EndpointRow, endpoints, type RegionRow, regions, type ServiceRow, services } from './store.ts'

const nullableText = Type.Union([Type.String(), Type.Null()])

/** A region's parent must exist, and must not be below it. */
async function checkParent(ctx: Ctx, id: string, parent: unknown): Promise<void> {
  const above = new Set([id])
  for (let next = parent; typeof next === 'string'; ) {
    if (above.has(next)) {
      throw new BadRequest(`The specified parent region ${parent} would create a circular region hierarchy.`)
    }
    above.add(next)
    const region = await regions.find(ctx.db, { id: next })
    if (!region) throw notFound('region', next)
    next = region.parent_region_id
  }
}

function regionView(ctx: Ctx, { extra, id, description, parent_region_id }: RegionRow) {
  return { ...extra, id, description, parent_region_id, links: linkTo(ctx, `regions/${id}`) }
}

async function createRegion(ctx: Ctx, values: Values, extra: Values): Promise<RegionRow> {
  const id = typeof values.id === 'string' && values.id !== '' ? values.id : ctx.ids.hex()
  await checkParent(ctx, id, values.parent_region_id)
  const parent_region_id = (values.parent_region_id as string | null | undefined) ?? null
  const row: RegionRow = { id, description: String(values.description ?? ''), parent_region_id, extra }
  await regions.insert(ctx.db, row)
  return row
}

export const regionResource = resource<RegionRow>({
  member: 'region',
  collection: 'regions',
  store: regions,
  attributes: { description: nullableText, parent_region_id: nullableText },
  required: [],
  filters: ['parent_region_id'],
  policy: { ...ofOperators, get: '', list: '', scopes: allScopes },
  chosenId: true,
  view: regionView,
  duplicate: values => `Duplicate ID, ${values.id}`,
  create: createRegion,
  async update(ctx, row, patch) {
    await checkParent(ctx, row.id, patch.parent_region_id)
    return { ...(patch as Partial<RegionRow>), ...(patch.description === null && { description: '' }) }
  },
  async remove(ctx, { id }) {
    const child = await regions.find(ctx.db, { parent_region_id: id })
    if (child || (await endpoints.find(ctx.db, { region_id: id }))) {
      throw new Forbidden(`Unable to delete region ${id} because it or its child regions have associated endpoints.`)
    }
    await policyAssociations.remove(ctx.db, { region_id: id })
  },
})

/** Makes a region with the id of the path. */
export const putRegion = operation({
  id: 'identity.regions.put',
  method: 'PUT',
  path: '/v3/regions/{id}',
  summary: 'Create a region with an id of your choice',
  response: regionResource.answer,
  policy: regionResource.rules.create,
  request: Type.Object({
    region: Type.Object({
      id: Type.Optional(Type.String()),
      description: Type.Optional(nullableText),
      parent_region_id: Type.Optional(nullableText),
    }),
  }),
  status: 201,
  async handle(ctx, { params, body: { region } }) {
    const { id, description, parent_region_id, links: _, ...extra } = region as Values
    if (id !== undefined && id !== params.id) {
      throw new BadRequest(`Conflicting region IDs specified: "${params.id}" != "${id}"`)
    }
    return ctx.transaction(async tx => {
      await identityChanged(tx)
      if (await regions.find(tx.db, { id: params.id })) throw conflict('region', `Duplicate ID, ${params.id}`)
      const row = await createRegion(tx, { id: params.id, description, parent_region_id }, extra)
      return { region: regionView(tx, row) }
    })
  },
})

export const serviceResource = resource<ServiceRow>({
  member: 'service',
  collection: 'services',
  store: services,
  attributes: {
    type: Type.String({ minLength: 1, maxLength: 255 }),
    name: Type.Union([Type.String({ maxLength: 255 }), Type.Null()]),
    description: nullableText,
    enabled: Type.Boolean(),
  },
  required: ['type'],
  filters: ['type', 'name'],
  policy: ofOperators,
  view: (ctx, { extra, id, type, name, description, enabled }) => ({
    ...extra,
    id,
    type,
    enabled,
    name: name ?? '',
    ...(description !== null && { description }),
    links: linkTo(ctx, `services/${id}`),
  }),
  duplicate: values => `Duplicate ID, ${values.id}`,
  async create(ctx, values, extra) {
    const row: ServiceRow = {
      name: null,
      description: null,
      enabled: true,
      ...(values as Partial<ServiceRow>),
      id: ctx.ids.hex(),
      type: String(values.type),
      extra,
    }
    await services.insert(ctx.db, row)
    return row
  },
  async remove(ctx, { id }) {
    const own = await endpoints.list(ctx.db, { service_id: id })
    for (const endpoint of own) await removeEndpointTraces(ctx, endpoint)
    await endpoints.remove(ctx.db, { service_id: id })
    await policyAssociations.remove(ctx.db, { service_id: id })
    const limit = await registeredLimits.find(ctx.db, { service_id: id })
    if (limit)
      throw new Forbidden(`Unable to delete service ${id}: registered limit ${limit.id} is for it. Delete that first.`)
  },
})

/** What names an endpoint. */
async function removeEndpointTraces(ctx: Ctx, { id }: { id: string }): Promise<void> {
  await projectEndpoints.remove(ctx.db, { endpoint_id: id })
  await policyAssociations.remove(ctx.db, { endpoint_id: id })
}

const known = new Set(['project_id', 'tenant_id', 'user_id', 'base', 'public_bind_host', 'admin_bind_host'])

/** Marks in an address must be ones that we fill in. */
function checkUrl(url: string): void {
  const marks = [...url.matchAll(/[%$]\((\w+)\)s/g)].map(mark => mark[1]!)
  if (!marks.every(mark => known.has(mark)) || url.replace(/[%$]\(\w+\)s/g, '').includes('%(')) {
    throw new BadRequest(`Cannot create an endpoint with an invalid URL: ${url}.`)
  }
}

async function checkEndpoint(ctx: Ctx, values: Values): Promise<void> {
  if (typeof values.url === 'string') checkUrl(values.url)
  if (typeof values.service_id === 'string' && !(await services.find(ctx.db, { id: values.service_id }))) {
    throw new BadRequest(`Could not find service: ${values.service_id}.`)
  }
  const region = values.region_id
  if (typeof region === 'string' && !(await regions.find(ctx.db, { id: region }))) {
    throw new BadRequest(`Could not find region: ${region}.`)
  }
}

/** `region` is the old name of `region_id`; unlike that, it makes the region. */
async function regionOf(ctx: Ctx, { region, ...values }: Values): Promise<Values> {
  if (values.region_id !== undefined || typeof region !== 'string') return values
  if (!(await regions.find(ctx.db, { id: region }))) {
    await regions.insert(ctx.db, { id: region, description: '', parent_region_id: null, extra: {} })
  }
  return { ...values, region_id: region }
}

export const endpointResource = resource<EndpointRow>({
  member: 'endpoint',
  collection: 'endpoints',
  store: endpoints,
  attributes: {
    service_id: Type.String({ maxLength: 64 }),
    region_id: nullableText,
    region: nullableText,
    interface: Type.Union([Type.Literal('public'), Type.Literal('internal'), Type.Literal('admin')]),
    url: Type.String({ minLength: 1, maxLength: 2048 }),
    enabled: Type.Boolean(),
  },
  required: ['service_id', 'interface', 'url'],
  filters: ['interface', 'service_id', 'region_id'],
  policy: ofOperators,
  view: endpointView,
  duplicate: values => `Duplicate ID, ${values.id}`,
  async create(ctx, values, extra) {
    await checkEndpoint(ctx, values)
    const row: EndpointRow = {
      region_id: null,
      enabled: true,
      ...((await regionOf(ctx, values)) as unknown as Pick<EndpointRow, 'service_id' | 'interface' | 'url'>),
      id: ctx.ids.hex(),
      extra,
    }
    await endpoints.insert(ctx.db, row)
    return row
  },
  async update(ctx, row, patch) {
    await checkEndpoint(ctx, patch)
    const columns = (await regionOf(ctx, patch)) as Partial<EndpointRow>
    // Written back as it was shown, it is still the address of this cloud.
    return columns.url === shownUrl(ctx, row.url) ? { ...columns, url: row.url } : columns
  },
  remove: removeEndpointTraces,
})
