/** A resource provider: something that has resources of classes, traits, and a place in a tree and in aggregates. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { deleteProvider, insertProvider, inventories, lockProviders, type ProviderRow, providers } from './store.ts'

export const concurrentUpdate = 'placement.concurrent_update'

/** Throws 404 in placement's words. */
export async function getProvider(ctx: Ctx, uuid: string): Promise<ProviderRow> {
  const row = await providers.find(ctx.db, { uuid: dashed(uuid) })
  if (!row) throw new NotFound(`No resource provider with uuid ${uuid} found`)
  return row
}

/** A UUID in its usual form, whatever form it came in. */
export function dashed(uuid: string): string {
  const hex = uuid.toLowerCase().replaceAll('-', '')
  return hex.length === 32 ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') : uuid
}

export function generationConflict(message = 'resource provider generation conflict'): Conflict {
  return new Conflict(message, { type: concurrentUpdate })
}

export function changedMeanwhile(about: string): Conflict {
  return generationConflict(
    `${about}: Another thread concurrently updated the resource provider data. Please retry your update`,
  )
}

export interface NewProvider {
  uuid: string
  name: string
  parent_uuid?: string | null
}

/** Makes a provider, below its parent when it has one. In the caller's transaction. */
export async function createProvider(ctx: Ctx, { uuid, name, parent_uuid = null }: NewProvider): Promise<void> {
  const about = `Unable to create resource provider "${name}", ${uuid}: Object action create failed because:`
  if (parent_uuid === uuid)
    throw new BadRequest(`${about} parent provider UUID cannot be same as UUID of provider being created.`)
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
