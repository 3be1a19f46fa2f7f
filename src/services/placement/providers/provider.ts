/** A resource provider: something that has resources of classes, traits, and a place in a tree and in aggregates. */
import type { Ctx } from '#kernel/context.ts'
import { lock, UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import type { Rule } from '#kernel/policy/rule.ts'
import {
  deleteProvider,
  insertProvider,
  inventories,
  lockProviders,
  type ProviderRow,
  providers,
  touchProvider,
} from './store.ts'

export const concurrentUpdate = 'placement.concurrent_update'

/** Throws 404 in placement's words. */
export async function getProvider(ctx: Ctx, uuid: string): Promise<ProviderRow> {
  const row = await providers.find(ctx.db, { uuid: dashed(uuid) })
  if (!row) throw noProvider(uuid)
  return row
}

const noProvider = (uuid: string) => new NotFound(`No resource provider with uuid ${uuid} found`)

/** For operations on a provider whose body is looked at only once the provider is known to be there. */
export const loadProvider =
  (rule: Rule) =>
  async (ctx: Ctx, { params }: { params: { uuid: string } }) => {
    ctx.enforce(rule)
    return { ...(await getProvider(ctx, params.uuid)) }
  }

/** How the resources whose API came later say that the generation is not the one seen. */
export const staleGeneration =
  "Resource provider's generation already changed. Please update the generation and try again."

/** Locks a provider until the transaction ends. Throws 404, or 409 when it is not at the generation that the caller saw. */
export async function lockProvider(
  ctx: Ctx,
  uuid: string,
  generation?: number,
  conflict = 'resource provider generation conflict',
): Promise<ProviderRow> {
  const id = dashed(uuid)
  const row = (await lockProviders(ctx, [id])).get(id)
  if (!row) throw noProvider(uuid)
  if (generation !== undefined && generation !== row.generation) throw generationConflict(conflict)
  return row
}

/** A UUID in its usual form, whatever form it came in. */
export function dashed(uuid: string): string {
  const hex = uuid.toLowerCase().replaceAll('-', '')
  return hex.length === 32 ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') : uuid
}

function generationConflict(message: string): Conflict {
  return new Conflict(message, { type: concurrentUpdate })
}

export interface NewProvider {
  uuid: string
  name: string
  parent_uuid?: string | null
}

/** Makes a provider, below its parent when it has one. In the caller's transaction. */
export async function createProvider(ctx: Ctx, { uuid, name, parent_uuid = null }: NewProvider): Promise<void> {
  const about = `Unable to create resource provider "${name}", ${uuid}: Object action create failed because:`
  if (name === '') throw new BadRequest(`${about} name is required`)
  if (parent_uuid === uuid)
    throw new BadRequest(
      `${about} parent provider UUID cannot be same as UUID. Please set parent provider UUID to None if there is no parent.`,
    )
  if (parent_uuid) await lockTrees(ctx)
  const parent = parent_uuid ? (await lockProviders(ctx, [parent_uuid])).get(parent_uuid) : undefined
  if (parent_uuid && !parent) throw new BadRequest(`${about} parent provider UUID does not exist.`)
  const taken = [
    ((await providers.find(ctx.db, { uuid })) !== undefined && `uuid: ${uuid}`) || undefined,
    ((await providers.find(ctx.db, { name })) !== undefined && `name: ${name}`) || undefined,
  ].filter(text => text !== undefined)
  if (taken.length > 0) throw nameTaken(taken.join(', '))
  try {
    await insertProvider(ctx, { uuid, name, parent_uuid, root_uuid: parent?.root_uuid ?? uuid, generation: 0 })
  } catch (error) {
    throw error instanceof UniqueViolation ? nameTaken(`name: ${name}`) : error
  }
}

/** Trees are changed one at a time: a provider that moves takes all below it to another root. */
const lockTrees = (ctx: Ctx) => lock(ctx.db, ctx.database.engine, 'placement/trees')

export interface ProviderChange {
  name: string
  /** Undefined leaves it where it is. */
  parent_uuid?: string | null | undefined
}

/** Renames a provider, or moves it with all below it. In the caller's transaction. */
export async function updateProvider(ctx: Ctx, uuid: string, { name, parent_uuid }: ProviderChange): Promise<void> {
  const moves = parent_uuid !== undefined
  if (moves) await lockTrees(ctx)
  const subtree = moves ? await subtreeOf(ctx, await getProvider(ctx, uuid)) : [uuid]
  const locked = await lockProviders(ctx, [...subtree, ...(parent_uuid ? [parent_uuid] : [])])
  const row = locked.get(uuid)
  if (!row) throw noProvider(uuid)
  const move = moves ? moveOf(ctx, row, { subtree, parent_uuid, parent: locked.get(parent_uuid ?? '') }) : undefined
  try {
    await touchProvider(ctx, uuid, { keepGeneration: true, patch: { name, ...move } })
  } catch (error) {
    throw error instanceof UniqueViolation ? nameTaken(name) : error
  }
  if (!move || move.root_uuid === row.root_uuid) return
  for (const child of subtree.slice(1))
    await touchProvider(ctx, child, { keepGeneration: true, patch: { root_uuid: move.root_uuid } })
}

interface Destination {
  subtree: string[]
  parent_uuid: string | null
  parent: ProviderRow | undefined
}

function moveOf(ctx: Ctx, row: ProviderRow, { subtree, parent_uuid, parent }: Destination) {
  const refuse = (reason: string, action = 'update') =>
    new BadRequest(`Unable to save resource provider ${row.uuid}: Object action ${action} failed because: ${reason}`)
  const mayMove = ctx.atLeast('1.37') || row.parent_uuid === null || row.parent_uuid === parent_uuid
  if (parent_uuid === null) {
    if (!mayMove) throw refuse('un-parenting a provider is not currently allowed.')
    return { parent_uuid, root_uuid: row.uuid }
  }
  if (!parent) throw refuse('parent provider UUID does not exist.', 'create')
  if (!mayMove) throw refuse('re-parenting a provider is not currently allowed.')
  if (subtree.includes(parent_uuid)) throw refuse('creating loop in the provider tree is not allowed.')
  return { parent_uuid, root_uuid: parent.root_uuid }
}

/** The provider and all below it. */
async function subtreeOf(ctx: Ctx, { uuid, root_uuid }: ProviderRow): Promise<string[]> {
  const below = Map.groupBy(await providers.list(ctx.db, { root_uuid }), row => row.parent_uuid)
  const found = [uuid]
  for (const parent of found) found.push(...(below.get(parent) ?? []).map(row => row.uuid))
  return found
}

export function nameTaken(what: string): Conflict {
  return new Conflict(`Conflicting resource provider ${what} already exists.`, { type: 'placement.duplicate_name' })
}

/** Removes a provider that nobody uses. In the caller's transaction. */
export async function removeProvider(ctx: Ctx, uuid: string): Promise<void> {
  if (!(await lockProviders(ctx, [uuid])).has(uuid))
    throw new NotFound(`No resource provider with uuid ${uuid} found for delete`)
  if ((await providers.count(ctx.db, { parent_uuid: uuid })) > 0)
    throw new Conflict(`Unable to delete parent resource provider ${uuid}: It has child resource providers.`, {
      type: 'placement.resource_provider.cannot_delete_parent',
    })
  if ((await inventories.count(ctx.db, { provider: uuid, used: { op: '>', value: 0 } })) > 0)
    throw new Conflict(`Unable to delete resource provider ${uuid}: Resource provider has allocations.`, {
      type: 'placement.resource_provider.inuse',
    })
  await deleteProvider(ctx, uuid)
}
