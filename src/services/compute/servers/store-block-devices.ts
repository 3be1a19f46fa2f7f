/** Disks that servers were asked to have, in their cells. */
import type { Ctx } from '#kernel/context.ts'
import { type ListOptions, rows } from '#kernel/db/rows.ts'
import type { BlockDeviceRow } from './block-device.ts'
import { cellDatabases, cellOf, lastCellOf } from './store-cells.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_block_devices: BlockDeviceRow
  }
}

export const blockDevices = rows<BlockDeviceRow>('compute_block_devices', { bool: ['delete_on_termination'] })

const inOrder: ListOptions<BlockDeviceRow> = { orderBy: [{ column: 'position', direction: 'asc' }] }

export async function devicesOf(ctx: Ctx, id: string): Promise<BlockDeviceRow[]> {
  const db = await lastCellOf(ctx, id)
  return db ? blockDevices.list(db, { server_id: id }, inOrder) : []
}

/** Which servers have a volume. */
export async function devicesOfVolume(ctx: Ctx, volume_id: string): Promise<BlockDeviceRow[]> {
  return (await Promise.all(cellDatabases(ctx.cells).map(db => blockDevices.list(db, { volume_id })))).flat()
}

export async function insertDevice(ctx: Ctx, device: BlockDeviceRow): Promise<void> {
  const db = await cellOf(ctx, device.server_id)
  if (db) await blockDevices.insert(db, device)
}

export async function updateDevice(
  ctx: Ctx,
  { server_id, id }: Pick<BlockDeviceRow, 'server_id' | 'id'>,
  patch: Partial<BlockDeviceRow>,
): Promise<boolean> {
  const db = await cellOf(ctx, server_id)
  return db !== undefined && (await blockDevices.update(db, { id }, patch)) > 0
}

/** False when it was gone already. */
export async function removeDevice(
  ctx: Ctx,
  { server_id, id }: Pick<BlockDeviceRow, 'server_id' | 'id'>,
): Promise<boolean> {
  const db = await cellOf(ctx, server_id)
  return db !== undefined && (await blockDevices.remove(db, { id })) > 0
}

export async function removeDevices(ctx: Ctx, server_id: string): Promise<void> {
  const db = await cellOf(ctx, server_id)
  if (db) await blockDevices.remove(db, { server_id })
}
