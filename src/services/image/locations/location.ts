/** A location: one store that holds the bytes of an image. Where they are, which is read from, and how they go. */
import type { Ctx, Env } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { imageConfig } from '../config.ts'
import { storesOf } from '../stores.ts'
import { type LocationRow, locations, scrubs } from './store.ts'

export type { LocationRow } from './store.ts'

const inOrder = [
  { column: 'position', direction: 'asc' },
  { column: 'id', direction: 'asc' },
] as const

/** By image, in the order in which they were added. */
export async function locationsOf(db: Db, image_id: string[]): Promise<Map<string, LocationRow[]>> {
  return Map.groupBy(await locations.list(db, { image_id }, { orderBy: [...inOrder] }), row => row.image_id)
}

/** The one that is read from comes first. */
export function byWeight(env: Env, list: readonly LocationRow[]): LocationRow[] {
  const weight = ({ store }: LocationRow) => storesOf(env).find(store)?.weight ?? 0
  return list.toSorted((a, b) => weight(b) - weight(a))
}

/** Writes that a store holds the bytes, after those that did before. */
export async function addLocation(
  ctx: Ctx,
  image_id: string,
  store: string,
  more: Partial<Pick<LocationRow, 'url' | 'metadata' | 'position'>> = {},
): Promise<void> {
  const position = more.position ?? (await locations.count(ctx.db, { image_id }))
  const { url = null, metadata = {} } = more
  const created_at = new Date(ctx.clock.now()).toISOString()
  await locations.insert(ctx.db, { id: ctx.ids.uuid(), image_id, store, url, metadata, position, created_at })
}

/** The address of the bytes as the API shows it. */
export const urlOf = (env: Env, blob: string | null, { store, url }: LocationRow): string =>
  url ?? storesOf(env).urlOf(store, blob ?? '')

export const viewLocation = (env: Env, blob: string | null, location: LocationRow) => ({
  url: urlOf(env, blob, location),
  metadata: { ...location.metadata, store: location.store },
})

/** Has a file removed from stores once the transaction is committed; later, when the cloud keeps deleted images for a while. */
export async function dropFile(ctx: Ctx, blob: string, stores: Iterable<string>): Promise<void> {
  const delay = ctx.config.of(imageConfig).delayed_delete_seconds
  const due_at = new Date(ctx.clock.now() + delay * 1000).toISOString()
  for (const store of new Set(stores)) {
    if (!storesOf(ctx).writable.some(one => one.id === store)) continue
    if (delay > 0) await scrubs.insert(ctx.db, { blob, store, due_at })
    else ctx.afterCommit(() => void removeFile(ctx, blob, store))
  }
}

/** The reconciler takes it up when this fails. */
export async function removeFile(ctx: Ctx, blob: string, store: string): Promise<void> {
  try {
    await (await storesOf(ctx).open(store)).remove(blob)
  } catch (error) {
    ctx.log.warn({ err: error, blob, store }, 'the file of a deleted image is still there')
  }
}
