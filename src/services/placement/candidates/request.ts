/** The query of allocation candidates: groups of what is wanted, by the suffix of their parameters, and what holds for all of them. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { type TObject, type TSchema, Type } from '#kernel/schema/builders.ts'
import { byVersion, since } from '#kernel/schema/marks.ts'
import { isUuid, pythonic } from '#kernel/schema/validate.ts'
import { lastOf, valuesOf } from '../dialect.ts'
import { aggregateFilter, parseResources, parseTraits, traitFilter } from '../filters.ts'
import { dashed } from '../providers/provider.ts'
import type { RequestGroup, SearchRequest } from './search.ts'

export type Query = Record<string, unknown>

const text = Type.Union([Type.String(), Type.Array(Type.String())])
const oneLimit = Type.String({ pattern: '^[1-9][0-9]*$' })
const limit = Type.Union([oneLimit, Type.Array(oneLimit)])
const onePolicy = Type.Unsafe<'none' | 'isolate'>({ enum: ['none', 'isolate'] })
const number = '[1-9][0-9]*'
const name = '[a-zA-Z0-9_-]{1,64}'

const plain = Type.Object(
  { resources: text, limit: since('1.16', limit), required: since('1.17', text), member_of: since('1.21', text) },
  { additionalProperties: false },
)

function grouped(suffix: string, prefixes: string[]): TObject {
  const patternProperties: Record<string, TSchema> = {}
  for (const prefix of prefixes) patternProperties[`^${prefix}(${suffix})?$`] = text
  const properties = {
    limit: Type.Optional(limit),
    group_policy: Type.Optional(Type.Union([onePolicy, Type.Array(onePolicy)])),
    root_required: since('1.35', text),
    same_subtree: since('1.36', text),
  }
  return Type.Object(properties, { additionalProperties: false, patternProperties })
}

const prefixes = ['resources', 'required', 'member_of', 'in_tree']
const newest = grouped(name, prefixes)
export const candidateQuery = byVersion(
  { '1.10': plain, '1.25': grouped(number, prefixes.slice(0, 3)), '1.31': grouped(number, prefixes), '1.33': newest },
  newest,
)

const badValue = 'placement.query.bad_value'

function treeOf(value: unknown): string | undefined {
  const asked = lastOf(value)?.trim()
  if (asked === undefined || isUuid(asked)) return asked && dashed(asked)
  throw new BadRequest(
    `Invalid query string parameters: Expected 'in_tree' parameter to be a format of uuid. Got: ${lastOf(value)}`,
  )
}

function groupOf(ctx: Ctx, query: Query, suffix: string): RequestGroup {
  const resources = lastOf(query[`resources${suffix}`])
  return {
    suffix,
    resources: resources === undefined ? {} : parseResources(resources),
    ...traitFilter(ctx, query[`required${suffix}`]),
    ...aggregateFilter(ctx, query[`member_of${suffix}`], suffix),
    in_tree: treeOf(query[`in_tree${suffix}`]),
  }
}

const hasResources = (group: RequestGroup) => Object.keys(group.resources).length > 0

/** Before groups without resources were known: everything belongs to some resources. */
function checkOrphans(groups: RequestGroup[]): void {
  const bare = groups.filter(group => !hasResources(group))
  const named = (key: string, orphans: RequestGroup[]) => orphans.map(({ suffix }) => `${key}${suffix}`).join(', ')
  const traits = bare.filter(group => group.required.length > 0)
  if (traits.length > 0)
    throw new BadRequest(
      `All traits parameters must be associated with resources.  Found the following orphaned traits keys: ${named('required', traits)}`,
    )
  const members = bare.filter(group => group.member_of.length + group.forbidden_aggregates.length > 0)
  if (members.length > 0)
    throw new BadRequest(
      `All member_of parameters must be associated with resources. Found the following orphaned member_of keys: ${named('member_of', members)}`,
    )
  if (bare.length > 0) throw new BadRequest('All request groups must specify resources.')
  if (groups.length === 0)
    throw new BadRequest('At least one request group (`resources` or `resources{$S}`) is required.')
}

/** From 1.36 on a group without resources is fine where it says which subtree is meant. */
function checkSubtrees(groups: RequestGroup[], subtrees: string[][]): void {
  const bare = groups.filter(group => !hasResources(group)).map(group => group.suffix)
  if (bare.length === groups.length)
    throw new BadRequest('There must be at least one resources or resources[$S] parameter.', {
      type: 'placement.query.missing_value',
    })
  const named = subtrees.flat()
  const stray = bare.filter(suffix => !named.includes(suffix))
  if (stray.length > 0)
    throw new BadRequest(
      `Resourceless suffixed group request should be specified in \`same_subtree\` query param: bad group(s) - ${pythonic(stray)}.`,
      { type: badValue },
    )
  const known = groups.map(group => group.suffix)
  const unknown = named.filter(suffix => !known.includes(suffix))
  if (unknown.length > 0)
    throw new BadRequest(
      `Real suffixes should be specified in \`same_subtree\`: ${pythonic(unknown)} not found in ${pythonic(known)}.`,
      { type: badValue },
    )
}

function checkConflicts(groups: RequestGroup[]): void {
  const conflicts = groups.flatMap(({ suffix, required, forbidden }) =>
    required
      .filter(any => any.every(trait => forbidden.includes(trait)))
      .map(any => `required${suffix}: (${[...any].sort().join(', ')})`),
  )
  if (conflicts.length > 0)
    throw new BadRequest(
      `Conflicting required and forbidden traits found in the following traits keys: ${conflicts.sort().join(', ')}`,
    )
}

function subtreesOf(query: Query): string[][] {
  return valuesOf(query.same_subtree).map(value => {
    const suffixes = [...new Set(value.split(',').map(suffix => suffix.trim()))]
    if (suffixes.includes(''))
      throw new BadRequest('Empty string (unsuffixed group) can not be specified in `same_subtree` ', {
        type: badValue,
      })
    return suffixes
  })
}

function rootTraits(ctx: Ctx, query: Query): Pick<SearchRequest, 'root_required' | 'root_forbidden'> {
  const values = valuesOf(query.root_required)
  if (values.length === 0) return {}
  if (values.length > 1)
    throw new BadRequest("Query parameter 'root_required' may be specified only once.", {
      type: 'placement.query.duplicate_key',
    })
  const { required, forbidden } = parseTraits(ctx, values[0]!, { any: false })
  const conflicts = required.flat().filter(trait => forbidden.includes(trait))
  if (conflicts.length > 0)
    throw new BadRequest(`Conflicting required and forbidden traits found in root_required: ${conflicts.join(', ')}`, {
      type: badValue,
    })
  return { root_required: required.flat(), root_forbidden: forbidden }
}

/** What a query asks for. Throws 400 in upstream's words for what contradicts itself. */
export function searchRequestOf(ctx: Ctx, query: Query): SearchRequest {
  const same_subtree = subtreesOf(query)
  const roots = rootTraits(ctx, query)
  const keyed = Object.keys(query).map(key => /^(?:resources|required|member_of|in_tree)(.*)$/.exec(key)?.[1])
  const suffixes = [...new Set(keyed.filter(suffix => suffix !== undefined))]
  const groups = suffixes.map(suffix => groupOf(ctx, query, suffix))
  if (ctx.atLeast('1.36')) checkSubtrees(groups, same_subtree)
  else checkOrphans(groups)
  if (ctx.atLeast('1.22')) checkConflicts(groups)
  const [policy] = valuesOf(query.group_policy)
  if (policy === undefined && suffixes.filter(suffix => suffix !== '').length > 1)
    throw new BadRequest(
      'The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.',
    )
  return {
    groups,
    ...roots,
    same_subtree,
    isolate: policy === 'isolate',
    flat: !ctx.atLeast('1.29'),
    limit: query.limit === undefined ? undefined : Number(valuesOf(query.limit)[0]),
  }
}
