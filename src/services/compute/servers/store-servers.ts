/** Reading a server and what its guest is told, for those that `store.ts` itself needs. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import type { GuestDataRow, ServerRow } from './server.ts'
import { lastCellOf } from './store-cells.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_servers: ServerRow
    compute_server_guest_data: GuestDataRow
  }
}

export const servers = rows<ServerRow>('compute_servers', {
  json: ['image', 'flavor', 'metadata', 'trusted_image_certificates', 'fault', 'recovery'],
  bool: ['config_drive'],
  alike: ['image', 'flavor'],
  neverNull: ['created_at', 'id'],
})
export const guestData = rows<GuestDataRow>('compute_server_guest_data', { json: ['personality'] })

export async function findServer(ctx: Ctx, id: string): Promise<ServerRow | undefined> {
  const db = await lastCellOf(ctx, id)
  return db && servers.find(db, { id })
}

export async function guestDataOf(ctx: Ctx, id: string): Promise<GuestDataRow | undefined> {
  const db = await lastCellOf(ctx, id)
  return db && guestData.find(db, { server_id: id })
}

/** When a server last changed; undefined when it is gone. */
export async function changeOf(ctx: Ctx, id: string): Promise<string | undefined> {
  const db = await lastCellOf(ctx, id)
  return db && (await servers.pick(db, ['updated_at'], { id }))[0]?.updated_at
}
