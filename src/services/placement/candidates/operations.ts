/** Allocation candidates: the ways in which a request can be met, ready to be sent back as allocations. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { byVersion } from '#kernel/schema/marks.ts'
import { unknownClasses } from '../classes/class.ts'
import { choiceOf } from '../config.ts'
import { dated, placementRule, uuid } from '../dialect.ts'
import { type Provider, type Snapshot, snapshotFor } from '../snapshot.ts'
import { unknownTraits } from '../traits/trait.ts'
import type { Found } from './found.ts'
import { candidateQuery, type Query, searchRequestOf } from './request.ts'
import { type SearchRequest, search } from './search.ts'

const resources = Type.Record(Type.String(), Type.Integer())
const listed = Type.Object({
  allocations: Type.Array(Type.Object({ resource_provider: Type.Object({ uuid }), resources })),
})
const keyed = Type.Object({
  allocations: Type.Record(Type.String(), Type.Object({ resources })),
  mappings: Type.Optional(Type.Record(Type.String(), Type.Array(uuid))),
})
const summary = Type.Object({
  resources: Type.Record(Type.String(), Type.Object({ capacity: Type.Integer(), used: Type.Integer() })),
  traits: Type.Optional(Type.Array(Type.String())),
  parent_provider_uuid: Type.Optional(Type.Union([uuid, Type.Null()])),
  root_provider_uuid: Type.Optional(uuid),
})

function requestView(ctx: Ctx, { allocations, mappings }: Found): Static<typeof keyed> | Static<typeof listed> {
  const entries = Object.entries(allocations)
  if (!ctx.atLeast('1.12'))
    return { allocations: entries.map(([id, its]) => ({ resource_provider: { uuid: id }, resources: its })) }
  return {
    allocations: Object.fromEntries(entries.map(([id, its]) => [id, { resources: its }])),
    ...(ctx.atLeast('1.34') && { mappings }),
  }
}

const isCustom = (trait: string) => trait.startsWith('CUSTOM_')
const standardFirst = (a: string, b: string) => Number(isCustom(a)) - Number(isCustom(b)) || (a < b ? -1 : 1)

function summaryView(ctx: Ctx, provider: Provider, asked: ReadonlySet<string>): Static<typeof summary> {
  const shown = [...provider.inventories].filter(([name]) => ctx.atLeast('1.27') || asked.has(name))
  return {
    resources: Object.fromEntries(shown.map(([name, { capacity, used }]) => [name, { capacity, used }])),
    ...(ctx.atLeast('1.17') && { traits: [...provider.traits].sort(standardFirst) }),
    ...(ctx.atLeast('1.29') && { parent_provider_uuid: provider.parent, root_provider_uuid: provider.root }),
  }
}

/** The providers to tell about: all of the trees that give something, or, before trees were known, those that give it. */
function summarized(ctx: Ctx, { providers, trees }: Snapshot, found: Found[]): Iterable<Provider> {
  const givers = new Set(found.flatMap(way => Object.keys(way.allocations)).map(id => providers.get(id)!))
  if (!ctx.atLeast('1.29')) return givers
  return [...new Set([...givers].map(provider => provider.root))].flatMap(root => trees.get(root)!)
}

/** Throws 400 for classes and traits that there are none of. */
export async function checkNames(
  ctx: Ctx,
  { groups, root_required = [], root_forbidden = [] }: SearchRequest,
): Promise<void> {
  const [noClass] = await unknownClasses(
    ctx,
    groups.flatMap(group => Object.keys(group.resources)),
  )
  if (noClass !== undefined)
    throw new BadRequest(`Invalid resource class in resources parameter: No such resource class ${noClass}.`)
  const traits = groups.flatMap(group => [...group.required.flat(), ...group.forbidden])
  const noTraits = await unknownTraits(ctx, [...traits, ...root_required, ...root_forbidden])
  if (noTraits.length > 0) throw new BadRequest(`No such trait(s): ${noTraits.join(', ')}.`)
}

const list = operation({
  id: 'placement.allocation_candidates.list',
  method: 'GET',
  path: '/allocation_candidates',
  summary: 'List the ways in which a request for resources can be met',
  versions: { min: '1.10' },
  policy: placementRule('allocation_candidates:list'),
  query: candidateQuery,
  response: Type.Object({
    allocation_requests: Type.Array(byVersion({ '1.10': listed, '1.12': keyed }, keyed)),
    provider_summaries: Type.Record(Type.String(), summary),
  }),
  async handle(ctx, { query }) {
    const request = searchRequestOf(ctx, query as Query)
    await checkNames(ctx, request)
    const snapshot = await snapshotFor(ctx)
    const found = search(snapshot, { ...request, ...choiceOf(ctx, request.limit) })
    const asked = new Set(request.groups.flatMap(group => Object.keys(group.resources)))
    const summaries = [...summarized(ctx, snapshot, found)].map(p => [p.uuid, summaryView(ctx, p, asked)])
    return dated(ctx, {
      allocation_requests: found.map(way => requestView(ctx, way)),
      provider_summaries: Object.fromEntries(summaries),
    })
  },
})

export const candidateOperations: Operation[] = [list]
