/** What becomes of a server's volumes: claimed with it, reached by its host, let go with it. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Fault, messageOf } from '#kernel/errors.ts'
import { type BlockDeviceRow, isVolume, layout, type VolumeDevice } from './block-device.ts'
import type { WantedDevice } from './block-devices.ts'
import type { ServerRow } from './server.ts'
import { blockDevices, devicesOf, removeDevices } from './store-block-devices.ts'
import { cellOf } from './store-cells.ts'

/** The volume service of a cloud that has volumes: without it no server could have got one. */
export function volumeService(ctx: Ctx) {
  const { volume } = ctx.services
  if (!volume) throw new Error('this cloud has no volume service')
  return volume
}

const volumeTypes = ['volumev3', 'block-storage', 'volume']

/** Takes a volume for a server; returns its attachment. Volumes of a service that goes with another compute service are not taken. */
export async function reserveVolume(ctx: Ctx, wish: { volume_id: string; server_id: string }): Promise<string> {
  const stranger = await ctx.services.identity.strangerTo(ctx, { types: volumeTypes, to: 'compute' })
  if (stranger !== undefined) throw new BadRequest(`Invalid volume: ${stranger}`)
  return volumeService(ctx).reserve(ctx, wish)
}

export async function volumesOf(ctx: Ctx, id: string): Promise<VolumeDevice[]> {
  return (await devicesOf(ctx, id)).filter(isVolume)
}

/** In the transaction that makes the server: its volumes are made or reserved, or none of it happens. */
export async function claimDevices(ctx: Ctx, server: ServerRow, wanted: readonly WantedDevice[]): Promise<void> {
  const db = await cellOf(ctx, server.id)
  if (!db || wanted.length === 0) return
  const rows: BlockDeviceRow[] = []
  for (const { volume_type, ...device } of wanted) {
    const row = { ...device, id: ctx.ids.uuid(), server_id: server.id, attachment_id: null }
    rows.push(device.kind === 'volume' ? await claimed(ctx, row, volume_type) : row)
  }
  const names = new Map(layout(server, rows).map(({ id, device_name }) => [id, device_name]))
  await blockDevices.insertMany(
    db,
    rows.map(row => ({ ...row, device_name: names.get(row.id) ?? null })),
  )
}

async function claimed(ctx: Ctx, device: BlockDeviceRow, volume_type: string | null): Promise<BlockDeviceRow> {
  const { server_id, source_id } = device
  const volume_id = device.volume_id ?? (await newVolume(ctx, device, volume_type, source_id))
  const attachment_id = await reserveVolume(ctx, { volume_id, server_id })
  return { ...device, volume_id, attachment_id }
}

async function newVolume(ctx: Ctx, device: BlockDeviceRow, volume_type: string | null, id: string | null) {
  const { source_type, size } = device
  const source =
    id !== null && source_type !== 'blank' && source_type !== 'volume' ? { type: source_type, id } : undefined
  const wish = { name: null, description: null, size: size ?? 1, volume_type, availability_zone: null, metadata: {} }
  return (await volumeService(ctx).create(ctx, { ...wish, source: source ?? { type: 'blank' } })).id
}

/** Waits until the volumes that were made for the server are there; says so before, where there are any. */
export async function volumesReady(
  ctx: Ctx,
  id: string,
  signal: AbortSignal,
  waiting: () => Promise<unknown>,
): Promise<void> {
  const made = (await volumesOf(ctx, id)).filter(({ source_type }) => source_type !== 'volume')
  if (made.length > 0) await waiting()
  for (const { volume_id } of made) await volumeService(ctx).ready(ctx, volume_id, signal)
}

/** The server runs with its volumes. In the transaction that says so. */
export async function completeVolumes(ctx: Ctx, id: string): Promise<void> {
  for (const { attachment_id, device_name } of await volumesOf(ctx, id))
    await volumeService(ctx).complete(ctx, attachment_id, device_name)
}

/** The server has no volumes any more; those that were to go with it go. Says how many it had. In a transaction. */
export async function releaseVolumes(ctx: Ctx, id: string): Promise<number> {
  const devices = await volumesOf(ctx, id)
  await removeDevices(ctx, id)
  await ctx.services.volume?.release(ctx, id)
  for (const { volume_id } of devices.filter(one => one.delete_on_termination)) await removeVolume(ctx, volume_id)
  return devices.length
}

/** A volume that cannot go now, for a snapshot of it or another server, stays: the deletion of its server does not wait for that. */
async function removeVolume(ctx: Ctx, volume_id: string): Promise<void> {
  try {
    await volumeService(ctx).remove(ctx, volume_id)
  } catch (error) {
    if (!(error instanceof Fault) || error.status >= 500) throw error
    ctx.log.warn({ err: messageOf(error), volume_id }, 'a volume was not deleted with its server')
  }
}
