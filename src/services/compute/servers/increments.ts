/**
 * Backups that store only what changed since the one before, and which backups of a kind are kept. An image says what it stands on; the host knows
 * whether it has kept count since then. As many as are kept make a chain, then one is whole again: so no chain is longer than what was asked for.
 */
import type { Ctx } from '#kernel/context.ts'
import { Conflict, NotFound } from '#kernel/errors.ts'
import type { ImageInfo } from '../../image/contract.ts'
import type { BackupOrder } from '../drivers/driver.ts'
import { storeDisk } from './create-image.ts'

/** The type of backups that asks for it. */
export const incremental = 'incremental'

/** Hosts open a whole chain at once. */
const longestChain = 32

/** A server's backups of a type, newest first. */
const backupsOf = (ctx: Ctx, id: string, kind: string) =>
  ctx.services.image.withProperties(ctx, { instance_uuid: id, image_type: 'backup', backup_type: kind })

interface Copy {
  copy: { id: string; image_id: string; format: 'raw' | 'qcow2' }
  rotation: number
}

/** Stores the changes since the last backup where the host has kept count of them, else the whole disk. */
export async function storeChanges(
  { ctx }: { ctx: Ctx },
  host: string,
  { copy, rotation }: Copy,
  signal: AbortSignal,
): Promise<void> {
  const since = await lastOf(ctx, copy.id, rotation)
  try {
    await storeDisk(ctx, host, { ...copy, backup: since ? { since } : {} }, signal)
  } catch (error) {
    signal.throwIfAborted()
    // The one to stand on was deleted meanwhile.
    if (!since || (await isThere(ctx, since.image_id))) throw error
    await storeDisk(ctx, host, { ...copy, backup: {} }, signal)
  }
}

/** The backup that the next one may stand on; none when its chain is as long as it may be. */
async function lastOf(ctx: Ctx, id: string, rotation: number): Promise<BackupOrder['since']> {
  const last = (await backupsOf(ctx, id, incremental)).find(image => image.status === 'active')
  if (!last || last.virtual_size === null) return undefined
  const length = 1 + (await ctx.services.image.basesOf(ctx, last)).length
  return length < Math.min(rotation, longestChain) ? { image_id: last.id, bytes: last.virtual_size } : undefined
}

async function isThere(ctx: Ctx, id: string): Promise<boolean> {
  try {
    return (await ctx.services.image.get(ctx, id)).status === 'active'
  } catch (error) {
    if (error instanceof NotFound) return false
    throw error
  }
}

/** Keeps the newest of a server's backups of a type, and what they stand on; that goes with the last of those that need it. */
export async function rotate(ctx: Ctx, id: string, kind: string, rotation: number): Promise<void> {
  const all = await backupsOf(ctx, id, kind)
  const baseOf = new Map(all.map(one => [one.id, one.base_image_id]))
  const needed = new Set<string>()
  for (const one of all.slice(0, rotation))
    for (let base = one.base_image_id; base && !needed.has(base); base = baseOf.get(base) ?? null) needed.add(base)
  // The newer ones stand on the older ones.
  for (const one of all.slice(rotation)) if (!needed.has(one.id)) await removeUnused(ctx, one)
}

/** Others may stand on it than backups of this server. */
async function removeUnused(ctx: Ctx, { id }: ImageInfo): Promise<void> {
  try {
    await ctx.services.image.remove(ctx, id)
  } catch (error) {
    if (!(error instanceof Conflict)) throw error
    ctx.log.info({ image_id: id }, 'a backup that is older than those to keep stays, because an image stands on it')
  }
}
