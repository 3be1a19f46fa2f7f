/** What guests and their owners are told, in the database. */
import type { Ctx } from '#kernel/context.ts'
import type { GuestDataRow } from './server.ts'
import { cellDatabases, cellOf, lastCellOf } from './store-cells.ts'
import { guestData } from './store-servers.ts'

/** Guest data by server id, for lists. */
export async function guestDataOfMany(ctx: Ctx, ids: string[]): Promise<Map<string, GuestDataRow>> {
  const parts = await Promise.all(cellDatabases(ctx.cells).map(db => guestData.list(db, { server_id: ids })))
  return new Map(parts.flat().map(row => [row.server_id, row]))
}

/** Changes what the guest and its owner are told; absent members stay. A password is kept sealed. */
export async function updateGuestData(ctx: Ctx, id: string, patch: Partial<GuestDataRow>): Promise<void> {
  const db = await cellOf(ctx, id)
  if (!db || Object.keys(patch).length === 0) return
  const { admin_password } = patch
  const sealed = admin_password ? { admin_password: await ctx.services.identity.sealed(ctx, admin_password) } : {}
  await guestData.update(db, { server_id: id }, { ...patch, ...sealed })
}

export async function forgetAdminPassword(ctx: Ctx, id: string): Promise<void> {
  const db = await lastCellOf(ctx, id)
  if (db) await guestData.update(db, { server_id: id }, { admin_password: null })
}

/** Keeps the encrypted password that a guest reports; false when it has reported one before. */
export async function keepGuestPassword(ctx: Ctx, id: string, encrypted_password: string): Promise<boolean> {
  const db = await lastCellOf(ctx, id)
  if (!db) return false
  return (await guestData.update(db, { server_id: id, encrypted_password: null }, { encrypted_password })) > 0
}

export async function forgetGuestPassword(ctx: Ctx, id: string): Promise<void> {
  const db = await lastCellOf(ctx, id)
  if (db) await guestData.update(db, { server_id: id }, { encrypted_password: null })
}
