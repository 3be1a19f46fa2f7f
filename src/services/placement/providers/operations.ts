/** Resource providers: list by what they have, show, create, rename, move in a tree, delete. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import { unknownClasses } from '../classes/class.ts'
import { addressOf, dated, generation, lastOf, latest, linksSchema, pathOf, placementRule, uuid } from '../dialect.ts'
import { aggregateFilter, parseResources, traitFilter } from '../filters.ts'
import { hasRoom } from '../inventories/inventory.ts'
import { type Provider, type Snapshot, snapshotFor } from '../snapshot.ts'
import { unknownTraits } from '../traits/trait.ts'
import { createProvider, dashed, getProvider, loadProvider, removeProvider, updateProvider } from './provider.ts'
import type { ProviderRow } from './store.ts'

const ruleOf = (verb: string) => placementRule(`resource_providers:${verb}`)

const providerSchema = Type.Object({
  uuid,
  name: Type.String(),
  generation,
  links: linksSchema,
  parent_provider_uuid: since('1.14', Type.Union([uuid, Type.Null()])),
  root_provider_uuid: since('1.14', uuid),
})

type Shown = Pick<ProviderRow, 'uuid' | 'name' | 'generation' | 'parent_uuid' | 'root_uuid'>

function view(ctx: Ctx, row: Shown): Static<typeof providerSchema> {
  const rels = [
    'inventories',
    'usages',
    ...(ctx.atLeast('1.1') ? ['aggregates'] : []),
    ...(ctx.atLeast('1.6') ? ['traits'] : []),
    ...(ctx.atLeast('1.11') ? ['allocations'] : []),
  ]
  const self = pathOf('resource_providers', row.uuid)
  return {
    uuid: row.uuid,
    name: row.name,
    generation: row.generation,
    links: [{ rel: 'self', href: self }, ...rels.map(rel => ({ rel, href: `${self}/${rel}` }))],
    parent_provider_uuid: row.parent_uuid,
    root_provider_uuid: row.root_uuid,
  }
}

const text = Type.Union([Type.String(), Type.Array(Type.String())])
const listQuery = Type.Object(
  {
    name: Type.Optional(text),
    uuid: Type.Optional(uuid),
    member_of: since('1.3', text),
    resources: since('1.4', text),
    in_tree: since('1.14', uuid),
    required: since('1.18', text),
  },
  { additionalProperties: false },
)

type Test = (provider: Provider) => boolean

/** What a provider must be to be listed: all of the parameters. */
async function testsOf(ctx: Ctx, snapshot: Snapshot, query: Static<typeof listQuery>): Promise<Test[]> {
  const name = lastOf(query.name)
  const resources = query.resources === undefined ? {} : parseResources(lastOf(query.resources)!)
  const { required, forbidden } = traitFilter(ctx, query.required)
  const { member_of, forbidden_aggregates } = aggregateFilter(ctx, query.member_of)
  const [noClass] = await unknownClasses(ctx, Object.keys(resources))
  if (noClass) throw new BadRequest(`Invalid resource class in resources parameter: No such resource class ${noClass}.`)
  const noTraits = await unknownTraits(ctx, [...required.flat(), ...forbidden])
  if (noTraits.length > 0)
    throw new BadRequest(`Invalid trait(s) in "required" parameter: No such trait(s): ${noTraits.join(', ')}.`)
  const root = query.in_tree && snapshot.providers.get(dashed(query.in_tree))?.root
  return [
    p => !name || p.name === name,
    p => query.uuid === undefined || p.uuid === dashed(query.uuid),
    p => query.in_tree === undefined || p.root === root,
    p => required.every(any => any.some(trait => p.traits.has(trait))),
    p => !forbidden.some(trait => p.traits.has(trait)),
    p => member_of.every(any => any.some(aggregate => p.aggregates.has(aggregate))),
    p => !forbidden_aggregates.some(aggregate => p.aggregates.has(aggregate)),
    p => Object.entries(resources).every(([name, amount]) => hasRoom(p.inventories.get(name), amount)),
  ]
}

const list = operation({
  id: 'placement.resource_providers.list',
  method: 'GET',
  path: '/resource_providers',
  summary: 'List resource providers by name, tree, aggregates, traits and room',
  policy: ruleOf('list'),
  query: listQuery,
  response: Type.Object({ resource_providers: Type.Array(providerSchema) }),
  async handle(ctx, { query }) {
    const snapshot = await snapshotFor(ctx)
    const tests = await testsOf(ctx, snapshot, query)
    const found = [...snapshot.providers.values()]
      .filter(provider => tests.every(test => test(provider)))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    const shown = found.map(p => view(ctx, { ...p, parent_uuid: p.parent, root_uuid: p.root }))
    return dated(ctx, { resource_providers: shown }, { at: latest(found) })
  },
})

const show = operation({
  id: 'placement.resource_providers.show',
  method: 'GET',
  path: '/resource_providers/{uuid}',
  summary: 'Show a resource provider',
  policy: ruleOf('show'),
  response: providerSchema,
  async handle(ctx, { params }) {
    const row = await getProvider(ctx, params.uuid)
    return dated(ctx, view(ctx, row), { at: row.updated_at })
  },
})

const providerName = Type.String({ maxLength: 200 })
const parent = since('1.14', Type.Union([uuid, Type.Null()]))

const create = operation({
  id: 'placement.resource_providers.create',
  method: 'POST',
  path: '/resource_providers',
  summary: 'Create a resource provider',
  policy: ruleOf('create'),
  request: Type.Object(
    { name: providerName, uuid: Type.Optional(uuid), parent_provider_uuid: parent },
    { additionalProperties: false },
  ),
  response: providerSchema,
  async handle(ctx, { body }) {
    const id = dashed(body.uuid ?? ctx.ids.uuid())
    const row = await ctx.transaction(async tx => {
      await createProvider(tx, { uuid: id, name: body.name, parent_uuid: dashedOrNull(body.parent_provider_uuid) })
      return getProvider(tx, id)
    })
    const headers = { location: addressOf(ctx, 'resource_providers', id) }
    if (!ctx.atLeast('1.20')) return reply(undefined, { status: 201, headers })
    return dated(ctx, view(ctx, row), { at: row.updated_at, headers })
  },
})

const dashedOrNull = (id: string | null | undefined) => (id ? dashed(id) : null)

const update = operation({
  id: 'placement.resource_providers.update',
  method: 'PUT',
  path: '/resource_providers/{uuid}',
  summary: 'Rename a resource provider, or move it in a tree',
  policy: ruleOf('update'),
  load: loadProvider(ruleOf('update')),
  request: Type.Object({ name: providerName, parent_provider_uuid: parent }, { additionalProperties: false }),
  response: providerSchema,
  async handle(ctx, { target: { uuid: id }, body }) {
    const asked = body.parent_provider_uuid
    const row = await ctx.transaction(async tx => {
      await updateProvider(tx, id, {
        name: body.name,
        parent_uuid: asked === undefined ? undefined : dashedOrNull(asked),
      })
      return getProvider(tx, id)
    })
    return dated(ctx, view(ctx, row), { at: row.updated_at })
  },
})

const remove = operation({
  id: 'placement.resource_providers.delete',
  method: 'DELETE',
  path: '/resource_providers/{uuid}',
  summary: 'Delete a resource provider that nothing uses',
  policy: ruleOf('delete'),
  async handle(ctx, { params }) {
    await ctx.transaction(tx => removeProvider(tx, dashed(params.uuid)))
    return undefined
  },
})

export const providerOperations: Operation[] = [list, show, create, update, remove]
