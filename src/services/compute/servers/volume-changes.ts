/** How changes of a server's volumes begin: checked and reserved in the transaction that starts their saga. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import type { VolumeInfo } from '../../volume/contract.ts'
import { tellAll } from '../events.ts'
import { beginAction, claimTask, recordAction, requireAllowed, stateConflict } from './action.ts'
import { freeName, isVolume, layout, maxDevices, type VolumeDevice } from './block-device.ts'
import { requireAttachable, tooManyDevices } from './block-devices.ts'
import type { ServerRow } from './server.ts'
import { findServer } from './store.ts'
import { devicesOf, devicesOfVolume, insertDevice } from './store-block-devices.ts'
import { attachVolumeSaga, detachAtOnce, detachVolumeSaga, swapVolumeSaga } from './volume-sagas.ts'
import { reserveVolume, volumeService } from './volumes.ts'

const invalid = (reason: string) => new BadRequest(`Invalid volume: ${reason}`)

export interface AttachWish {
  volume_id: string
  device: string | null
  tag: string | null
  delete_on_termination: boolean
}

/** A volume, as the caller sees it; where there is no volume service, none can be found. */
async function seen(ctx: Ctx, id: string): Promise<VolumeInfo> {
  if (!ctx.services.volume) throw new NotFound(`Volume ${id} could not be found.`)
  return ctx.services.volume.get(ctx, id)
}

async function requireFree(ctx: Ctx, server: ServerRow, { id, multiattach }: VolumeInfo): Promise<void> {
  const having = await devicesOfVolume(ctx, id)
  if (having.length === 0) return
  if (!multiattach)
    throw invalid(`volume ${id} is already attached to instances: ${having.map(one => one.server_id).join(' ')}`)
  if (having.some(one => one.server_id === server.id)) throw invalid(`volume ${id} already attached`)
}

function requireOnShelf(volume: VolumeInfo, { tag }: AttachWish): void {
  if (tag !== null) throw new BadRequest('Tagged volume attachment is not supported for shelved-offloaded instances.')
  if (volume.multiattach)
    throw new BadRequest('Attaching multiattach volumes is not supported for shelved-offloaded instances.')
}

/** Reserves the volume for the server, and has it attached; says how. */
export async function beginAttach(ctx: Ctx, server: ServerRow, wish: AttachWish): Promise<VolumeDevice> {
  return ctx.transaction(async tx => {
    const now = (await findServer(tx, server.id)) ?? server
    requireAllowed(tx, now, 'attach_volume')
    const volume = await seen(tx, wish.volume_id)
    await requireFree(tx, now, volume)
    const offloaded = now.vm_state === 'shelved_offloaded'
    if (offloaded) requireOnShelf(volume, wish)
    requireAttachable(tx, volume)
    const device = await newDevice(tx, now, volume, wish)
    const { id: device_id, volume_id, attachment_id } = device
    await insertDevice(tx, device)
    if (offloaded) {
      // It is attached when the server is back: until then nothing but the volume knows.
      await claimTask(tx, now, 'attach_volume')
      await volumeService(tx).complete(tx, attachment_id, device.device_name)
      await recordAction(tx, 'attach_volume', now.id)
      await tellAll(tx, now, ['volume_attach.start', 'volume_attach.end'], { volume_id })
      return device
    }
    const body = { device_id, volume_id, attachment_id }
    const told = { volume_id }
    const begin = { name: 'attach_volume', event: 'volume_attach', saga: attachVolumeSaga, body, told } as const
    await beginAction(tx, now, begin)
    return device
  })
}

async function newDevice(ctx: Ctx, server: ServerRow, volume: VolumeInfo, wish: AttachWish): Promise<VolumeDevice> {
  const devices = await devicesOf(ctx, server.id)
  const all = layout(server, devices)
  const taken = new Set(all.flatMap(one => one.device_name ?? []))
  if (all.length >= maxDevices) throw tooManyDevices()
  if (wish.device !== null && taken.has(wish.device))
    throw new Conflict(`The supplied device path (${wish.device}) is in use.`)
  const device_name = wish.device ?? freeName(null, taken)
  if (device_name === undefined) throw tooManyDevices()
  const attachment_id = await reserveVolume(ctx, { volume_id: volume.id, server_id: server.id })
  return {
    id: ctx.ids.uuid(),
    server_id: server.id,
    position: Math.max(0, ...devices.map(one => one.position + 1)),
    kind: 'volume',
    source_type: 'volume',
    source_id: null,
    volume_id: volume.id,
    attachment_id,
    boot_index: -1,
    device_name,
    disk_bus: null,
    size: volume.size,
    delete_on_termination: wish.delete_on_termination,
    tag: wish.tag,
  }
}

export async function beginDetach(ctx: Ctx, server: ServerRow, { id, volume_id, attachment_id }: VolumeDevice) {
  await ctx.transaction(async tx => {
    const now = (await findServer(tx, server.id)) ?? server
    requireAllowed(tx, now, 'detach_volume')
    const body = { device_id: id, volume_id, attachment_id }
    await volumeService(tx).beginDetach(tx, attachment_id)
    const told = { volume_id }
    if (now.vm_state !== 'shelved_offloaded')
      return beginAction(tx, now, { name: 'detach_volume', event: 'volume_detach', saga: detachVolumeSaga, body, told })
    await claimTask(tx, now, 'detach_volume')
    await detachAtOnce(tx, { server_id: now.id, body })
    await recordAction(tx, 'detach_volume', now.id)
    await tellAll(tx, now, ['volume_detach.start', 'volume_detach.end'], told)
  })
}

/** For the volume service, which moves a volume to another backend while a server has it. */
export async function beginSwap(ctx: Ctx, server: ServerRow, from: string, to: string): Promise<void> {
  await ctx.transaction(async tx => {
    const old = await seen(tx, from)
    if (!old.migration_status)
      throw new Conflict(`volume ${from} is not migrating; this API should only be called by Cinder`)
    const next = await seen(tx, to).catch(error => {
      // It is named in the body.
      throw error instanceof NotFound ? new BadRequest(error.message) : error
    })
    const now = (await findServer(tx, server.id)) ?? server
    const device = (await devicesOf(tx, now.id)).filter(isVolume).find(one => one.volume_id === from)
    if (!device) throw invalid('Old volume is attached to a different instance.')
    if (next.attachments.length > 0) throw invalid('New volume must be detached in order to swap.')
    if (next.size < old.size) throw invalid('New volume must be the same size or larger.')
    if (old.attachments.length > 1)
      throw new BadRequest('Swapping multi-attach volumes with more than one read/write attachment is not supported.')
    requireAllowed(tx, now, 'swap_volume')
    if (now.host === null) throw stateConflict(now.id, 'swap_volume', 'vm_state', now.vm_state)
    const volumes = volumeService(tx)
    await volumes.beginDetach(tx, device.attachment_id)
    const new_attachment_id = await volumes.reserve(tx, { volume_id: to, server_id: now.id })
    const { id: device_id, attachment_id } = device
    const body = {
      device_id,
      volume_id: from,
      attachment_id,
      new_volume_id: to,
      new_attachment_id,
      new_size: next.size,
    }
    const told = { volume_id: from, new_volume_id: to }
    await beginAction(tx, now, { name: 'swap_volume', event: 'volume_swap', saga: swapVolumeSaga, body, told })
  })
}
