/** Inventories of a provider: all of them at once, and one by one. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, MethodNotAllowed, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { unknownClasses } from '../classes/class.ts'
import { addressOf, classPattern, dated, generation, latest, placementRule } from '../dialect.ts'
import { concurrentUpdate, getProvider, loadProvider, lockProvider } from '../providers/provider.ts'
import { type InventoryRow, inventories, type ProviderRow, touchProvider } from '../providers/store.ts'
import {
  allInventories,
  changeInventory,
  checkCapacity,
  inventoryInUse,
  inventoryRow,
  replaceInventories,
  settings,
} from './inventory.ts'

const closed = { additionalProperties: false }
const ruleOf = (verb: string) => placementRule(`resource_providers:inventories:${verb}`)

const oneInventory = Type.Object({ ...settings, resource_provider_generation: generation }, closed)
const newInventory = Type.Object(
  {
    ...settings,
    resource_class: Type.String({ pattern: classPattern }),
    resource_provider_generation: Type.Optional(generation),
  },
  closed,
)
const shownInventory = Type.Object({
  total: Type.Integer(),
  reserved: Type.Integer(),
  min_unit: Type.Integer(),
  max_unit: Type.Integer(),
  step_size: Type.Integer(),
  allocation_ratio: Type.Number(),
  resource_provider_generation: Type.Optional(generation),
})
const shownInventories = Type.Object({
  resource_provider_generation: generation,
  inventories: Type.Record(Type.String(), shownInventory),
})

const collection = '/resource_providers/{uuid}/inventories'
const member = `${collection}/{resource_class}` as const

function view({ total, reserved, min_unit, max_unit, step_size, allocation_ratio }: InventoryRow) {
  return { total, reserved, min_unit, max_unit, step_size, allocation_ratio }
}

async function all(ctx: Ctx, { uuid, generation: seen }: Pick<ProviderRow, 'uuid' | 'generation'>) {
  const order = { orderBy: [{ column: 'resource_class', direction: 'asc' } as const] }
  const found = await inventories.list(ctx.db, { provider: uuid }, order)
  const shown: Static<typeof shownInventories> = {
    resource_provider_generation: seen,
    inventories: Object.fromEntries(found.map(row => [row.resource_class, view(row)])),
  }
  return dated(ctx, shown, { at: latest(found) })
}

async function one(ctx: Ctx, provider: ProviderRow, resourceClass: string, location?: string) {
  const row = await inventories.find(ctx.db, { provider: provider.uuid, resource_class: resourceClass })
  if (!row) throw new NotFound(`No inventory of class ${resourceClass} for ${provider.uuid}`)
  const shown: Static<typeof shownInventory> = {
    ...view(row),
    resource_provider_generation: provider.generation,
  }
  return dated(ctx, shown, { at: row.updated_at, ...(location && { status: 201, headers: { location } }) })
}

/** Changes a provider's inventories at the generation that the caller saw, in a transaction of its own, which raises it. */
function changing<T>(
  ctx: Ctx,
  uuid: string,
  seen: number | undefined,
  change: (tx: Ctx, provider: ProviderRow) => Promise<T>,
): Promise<T> {
  return ctx.transaction(async tx => {
    const provider = await lockProvider(tx, uuid, seen)
    await touchProvider(tx, provider.uuid)
    return change(tx, { ...provider, generation: provider.generation + 1 })
  })
}

const list = operation({
  id: 'placement.inventories.list',
  method: 'GET',
  path: collection,
  summary: "List a provider's inventories",
  policy: ruleOf('list'),
  response: shownInventories,
  handle: async (ctx, { params }) => all(ctx, await getProvider(ctx, params.uuid)),
})

const replace = operation({
  id: 'placement.inventories.replace',
  method: 'PUT',
  path: collection,
  summary: "Replace all of a provider's inventories",
  policy: ruleOf('update'),
  load: loadProvider(ruleOf('update')),
  request: allInventories,
  response: shownInventories,
  handle: (ctx, { params, body }) =>
    changing(ctx, params.uuid, body.resource_provider_generation, async (tx, provider) => {
      checkCapacity(tx, provider.uuid, body.inventories)
      await replaceInventories(tx, provider.uuid, body.inventories)
      return all(tx, provider)
    }),
})

const clear = operation({
  id: 'placement.inventories.clear',
  method: 'DELETE',
  path: collection,
  summary: "Delete all of a provider's inventories",
  policy: ruleOf('delete'),
  async handle(ctx, { params }) {
    if (!ctx.atLeast('1.5')) throw new MethodNotAllowed()
    await changing(ctx, params.uuid, undefined, (tx, { uuid }) => replaceInventories(tx, uuid, {}))
    return undefined
  },
})

const create = operation({
  id: 'placement.inventories.create',
  method: 'POST',
  path: collection,
  summary: 'Add an inventory of a class that the provider has not',
  policy: ruleOf('create'),
  load: loadProvider(ruleOf('create')),
  request: newInventory,
  response: shownInventory,
  handle: (ctx, { params, body: { resource_class: name, resource_provider_generation: _, ...spec } }) =>
    changing(ctx, params.uuid, undefined, async (tx, provider) => {
      const { uuid } = provider
      const about = `Unable to create inventory for resource provider ${uuid}`
      checkCapacity(tx, uuid, { [name]: spec }, 'create')
      if ((await unknownClasses(tx, [name])).length > 0)
        throw new BadRequest(`${about}: No such resource class ${name}.`)
      if (await inventories.find(tx.db, { provider: uuid, resource_class: name }))
        throw new Conflict(`Update conflict: an inventory of class ${name} exists on resource provider ${uuid}`, {
          type: concurrentUpdate,
        })
      await inventories.insert(tx.db, inventoryRow(tx, uuid, name, spec))
      return one(tx, provider, name, addressOf(ctx, 'resource_providers', uuid, 'inventories', name))
    }),
})

const show = operation({
  id: 'placement.inventories.show',
  method: 'GET',
  path: member,
  summary: "Show a provider's inventory of one class",
  policy: ruleOf('show'),
  response: shownInventory,
  handle: async (ctx, { params }) => one(ctx, await getProvider(ctx, params.uuid), params.resource_class),
})

const update = operation({
  id: 'placement.inventories.update',
  method: 'PUT',
  path: member,
  summary: 'Change an inventory',
  policy: ruleOf('update'),
  load: loadProvider(ruleOf('update')),
  request: oneInventory,
  response: shownInventory,
  handle: (ctx, { params, body: { resource_provider_generation: seen, ...spec } }) =>
    changing(ctx, params.uuid, seen, async (tx, provider) => {
      const { uuid } = provider
      const name = params.resource_class
      checkCapacity(tx, uuid, { [name]: spec })
      if ((await unknownClasses(tx, [name])).length > 0) throw new NotFound(`No such resource class ${name}.`)
      const row = await inventories.find(tx.db, { provider: uuid, resource_class: name })
      if (!row)
        throw new BadRequest(
          `No inventory record with resource class for resource provider ${uuid}: No inventory of class ${name} found.`,
        )
      await changeInventory(tx, row, spec)
      return one(tx, provider, name)
    }),
})

const remove = operation({
  id: 'placement.inventories.delete',
  method: 'DELETE',
  path: member,
  summary: 'Delete an inventory of which nothing is allocated',
  policy: ruleOf('delete'),
  async handle(ctx, { params }) {
    const name = params.resource_class
    await changing(ctx, params.uuid, undefined, async (tx, { uuid }) => {
      const row = await inventories.find(tx.db, { provider: uuid, resource_class: name })
      if (!row)
        throw new NotFound(
          `No inventory of class ${name} found for delete: No inventory of class ${name} found for delete`,
        )
      if (row.used > 0)
        throw inventoryInUse(uuid, [name], `Unable to delete inventory of class ${name}`, concurrentUpdate)
      await inventories.remove(tx.db, { provider: uuid, resource_class: name })
    })
    return undefined
  },
})

export const inventoryOperations: Operation[] = [list, replace, clear, create, show, update, remove]
