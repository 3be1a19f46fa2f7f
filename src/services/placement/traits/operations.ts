/** Traits: which there are, the custom ones' making and end, and which a provider has. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { addressOf, dated, generation, placementRule } from '../dialect.ts'
import { getProvider, lockProvider, staleGeneration } from '../providers/provider.ts'
import { providerTraits, touchProvider } from '../providers/store.ts'
import { standardTraits } from './standard-traits.ts'
import { customTraits, lockTrait, type TraitRow, traitsInUse } from './store.ts'
import { createTrait, isCustomTraitName, isStandardTrait, replaceTraits, unknownTraits } from './trait.ts'

const ruleOf = (verb: string) => placementRule(`traits:${verb}`)
const providerRuleOf = (verb: string) => placementRule(`resource_providers:traits:${verb}`)

const member = '/traits/{name}'
const ofProvider = '/resource_providers/{uuid}/traits'

const noTrait = (name: string) => new NotFound(`No such trait(s): ${name}.`)

/** When the last of the traits was made; the standard ones are always new. */
function madeAt(names: string[], custom: TraitRow[]): string | undefined {
  if (names.some(isStandardTrait)) return undefined
  return custom
    .filter(row => names.includes(row.name))
    .map(row => row.created_at)
    .sort()
    .at(-1)
}

/** What `name` asks for: `in:A,B` or `startswith:PREFIX`. */
function nameTest(text: string | undefined): (name: string) => boolean {
  if (text === undefined) return () => true
  const [, operator, value] = /^([^:]*):(.*)$/s.exec(text) ?? []
  if (operator === undefined)
    throw new BadRequest(
      `Badly formatted name parameter. Expected name query string parameter in form: ?name=[in|startswith]:[name1,name2|prefix]. Got: "${text}"`,
    )
  const names = new Set(value!.split(','))
  if (operator === 'in') return name => names.has(name)
  return operator === 'startswith' ? name => name.startsWith(value!) : () => true
}

function booleanOf(text: string | undefined): boolean | undefined {
  const value = text?.toLowerCase()
  if (value !== undefined && value !== 'true' && value !== 'false')
    throw new BadRequest('The query parameter "associated" only accepts "true" or "false"')
  return value === undefined ? undefined : value === 'true'
}

const list = operation({
  id: 'placement.traits.list',
  method: 'GET',
  path: '/traits',
  summary: 'List traits, by name or by whether a provider has them',
  versions: { min: '1.6' },
  policy: ruleOf('list'),
  query: Type.Object(
    { name: Type.Optional(Type.String()), associated: Type.Optional(Type.String()) },
    { additionalProperties: false },
  ),
  response: Type.Object({ traits: Type.Array(Type.String()) }),
  async handle(ctx, { query }) {
    const test = nameTest(query.name)
    const associated = booleanOf(query.associated)
    const custom = await customTraits.list(ctx.db)
    const used = associated === undefined ? undefined : await traitsInUse(ctx)
    const traits = [...standardTraits, ...custom.map(row => row.name)]
      .filter(name => test(name) && (!used || used.has(name) === associated))
      .sort()
    return dated(ctx, { traits }, { at: madeAt(traits, custom) })
  },
})

const show = operation({
  id: 'placement.traits.show',
  method: 'GET',
  status: 204,
  path: member,
  summary: 'Say whether a trait exists',
  versions: { min: '1.6' },
  policy: ruleOf('show'),
  async handle(ctx, { params: { name } }) {
    const row = await customTraits.find(ctx.db, { name })
    if (!row && !isStandardTrait(name)) throw noTrait(name)
    return dated(ctx, undefined, { at: row?.created_at })
  },
})

const put = operation({
  id: 'placement.traits.create',
  method: 'PUT',
  takes: 'nothing',
  status: 201,
  path: member,
  summary: 'Create a custom trait, when there is none of the name',
  versions: { min: '1.6' },
  policy: ruleOf('update'),
  async handle(ctx, { params: { name } }) {
    if (!isCustomTraitName(name))
      throw new BadRequest(
        'The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix "CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"',
      )
    const made = await createTrait(ctx, name)
    const row = await customTraits.find(ctx.db, { name })
    const headers = { location: addressOf(ctx, 'traits', name) }
    return dated(ctx, undefined, { at: row?.created_at, status: made ? 201 : 204, headers })
  },
})

const remove = operation({
  id: 'placement.traits.delete',
  method: 'DELETE',
  path: member,
  summary: 'Delete a custom trait that no provider has',
  versions: { min: '1.6' },
  policy: ruleOf('delete'),
  async handle(ctx, { params: { name } }) {
    if (isStandardTrait(name)) throw new BadRequest(`Cannot delete standard trait ${name}.`)
    await ctx.transaction(async tx => {
      if (!(await lockTrait(tx, name))) throw noTrait(name)
      if ((await providerTraits.count(tx.db, { trait: name })) > 0)
        throw new Conflict(`The trait ${name} is in use by a resource provider.`)
      await customTraits.remove(tx.db, { name })
    })
    return undefined
  },
})

const shown = Type.Object({ traits: Type.Array(Type.String()), resource_provider_generation: generation })

async function answer(ctx: Ctx, provider: string, seen: number) {
  const rows = await providerTraits.list(ctx.db, { provider }, { orderBy: [{ column: 'trait', direction: 'asc' }] })
  const traits = rows.map(row => row.trait)
  const body: Static<typeof shown> = { traits, resource_provider_generation: seen }
  return dated(ctx, body, { at: madeAt(traits, await customTraits.list(ctx.db, { name: traits })) })
}

const listOfProvider = operation({
  id: 'placement.resource_providers.traits.list',
  method: 'GET',
  path: ofProvider,
  summary: 'List the traits of a provider',
  versions: { min: '1.6' },
  policy: providerRuleOf('list'),
  response: shown,
  async handle(ctx, { params }) {
    const provider = await getProvider(ctx, params.uuid)
    return answer(ctx, provider.uuid, provider.generation)
  },
})

const replaceOfProvider = operation({
  id: 'placement.resource_providers.traits.replace',
  method: 'PUT',
  path: ofProvider,
  summary: 'Give a provider exactly these traits',
  versions: { min: '1.6' },
  policy: providerRuleOf('update'),
  request: Type.Object(
    {
      traits: Type.Array(Type.String({ minLength: 1, maxLength: 255 })),
      resource_provider_generation: generation,
    },
    { additionalProperties: false },
  ),
  response: shown,
  handle: (ctx, { params, body }) =>
    ctx.transaction(async tx => {
      const provider = await lockProvider(tx, params.uuid, body.resource_provider_generation, staleGeneration)
      const unknown = await unknownTraits(tx, body.traits)
      if (unknown.length > 0) throw new BadRequest(`No such trait ${unknown.join(', ')}`)
      return answer(tx, provider.uuid, provider.generation + (await setTraits(tx, provider.uuid, body.traits)))
    }),
})

/** By how much the provider's generation is higher then. */
async function setTraits(ctx: Ctx, provider: string, traits: string[]): Promise<number> {
  if (!(await replaceTraits(ctx, provider, traits))) return 0
  await touchProvider(ctx, provider)
  return 1
}

const clearOfProvider = operation({
  id: 'placement.resource_providers.traits.clear',
  method: 'DELETE',
  path: ofProvider,
  summary: 'Take all traits from a provider',
  versions: { min: '1.6' },
  policy: providerRuleOf('delete'),
  async handle(ctx, { params }) {
    await ctx.transaction(async tx => setTraits(tx, (await lockProvider(tx, params.uuid)).uuid, []))
    return undefined
  },
})

export const traitOperations: Operation[] = [
  list,
  show,
  put,
  remove,
  listOfProvider,
  replaceOfProvider,
  clearOfProvider,
]
