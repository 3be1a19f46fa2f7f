/** What a host is told of a server: disks, memory, NICs, config drive. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import type { DiskSpec, GuestSpec, ImageSpec, NicSpec } from '../drivers/driver.ts'
import { configDrive } from '../metadata/metadata.ts'
import {
  type BlockDeviceRow,
  diskId,
  diskSpec,
  isVolume,
  layout,
  localSize,
  type VolumeDevice,
} from './block-device.ts'
import { diskKeyOf } from './encryption.ts'
import { machineSpec } from './machine-spec.ts'
import type { ServerImage, ServerRow } from './server.ts'
import { devicesOf } from './store-block-devices.ts'
import { volumeService } from './volumes.ts'

/** What `host` is told; its volumes can be reached from there afterwards. `holder`: whose room it lies in, when that is a move's. */
export async function guestSpec(
  ctx: Ctx,
  server: ServerRow,
  nics: NicSpec[],
  host: string,
  signal: AbortSignal,
  holder = server.id,
): Promise<GuestSpec> {
  const disk_key = await diskKeyOf(ctx, server.id)
  return {
    id: server.id,
    name: server.display_name,
    vcpus: server.flavor.vcpus,
    memory_mb: server.flavor.ram,
    disks: withRescue(server, await disksOf(ctx, server, host, signal)),
    nics,
    ...(server.config_drive && { config_drive: await configDrive(ctx, server) }),
    flavor: server.flavor.name,
    extra_specs: server.flavor.extra_specs,
    ...(await machineSpec(ctx, server, holder)),
    ...(disk_key !== undefined && { disk_key }),
  }
}

function withRescue(server: ServerRow, own: DiskSpec[]): DiskSpec[] {
  const rescue = server.recovery?.rescue?.image
  if (!rescue) return own
  const { hw_rescue_bus, hw_rescue_device } = rescue.properties
  const source = { type: 'image' as const, image: imageSpec(rescue) }
  const disk: DiskSpec = {
    ...{ id: 'rescue', source, size_gb: 0, boot_index: 0 },
    ...(hw_rescue_bus && { bus: hw_rescue_bus }),
    ...(hw_rescue_device === 'cdrom' && { cdrom: true }),
  }
  const others = own.map(each => ({ ...each, boot_index: -1 }))
  // An image that names its device leaves the others where the guest knows them.
  return hw_rescue_bus || hw_rescue_device ? [...others, disk] : [disk, ...others]
}

async function disksOf(ctx: Ctx, server: ServerRow, host: string, signal: AbortSignal): Promise<DiskSpec[]> {
  const devices = layout(server, await devicesOf(ctx, server.id))
  const disks: DiskSpec[] = []
  for (const device of devices) {
    if (isVolume(device)) disks.push(await volumeDisk(ctx, device, host, signal))
    else if (device.kind !== 'root') disks.push(blankDisk(server, device, devices))
    else if (server.image) disks.push(rootDisk(server, device, server.image))
  }
  return disks
}

const busOf = ({ image }: ServerRow) => image?.properties.hw_disk_bus

function rootDisk(server: ServerRow, device: BlockDeviceRow, image: ServerImage): DiskSpec {
  const source = { type: 'image' as const, image: imageSpec(image) }
  if (image.optical) return { ...diskSpec(device, { id: 'root', source, size_gb: 0, bus: undefined }), cdrom: true }
  return diskSpec(device, { id: 'root', source, size_gb: server.flavor.disk, bus: busOf(server) })
}

function blankDisk(server: ServerRow, device: BlockDeviceRow, all: readonly BlockDeviceRow[]): DiskSpec {
  const size_gb = localSize(device, server.flavor)
  return diskSpec(device, { id: diskId(device, all), source: { type: 'blank' }, size_gb, bus: busOf(server) })
}

/** Lets the host reach the volume. */
export async function volumeDisk(ctx: Ctx, device: VolumeDevice, host: string, signal: AbortSignal): Promise<DiskSpec> {
  const connection = await volumeService(ctx).connect(ctx, device.attachment_id, host, signal)
  const source = { type: 'volume' as const, connection: { ...connection } }
  return diskSpec(device, { id: device.volume_id, source, size_gb: device.size ?? 0, bus: undefined })
}

/** Throws for one that no host may have. */
function imageSpec(image: ServerImage): ImageSpec {
  const { unacceptable, kernel, ramdisk, stored_as, virtual_size, bases } = image
  const { id, size, disk_format, hash_algo, hash_value, properties } = image
  if (unacceptable !== undefined) throw new BadRequest(`Image ${id} is unacceptable: ${unacceptable}`)
  return {
    ...{ id, size, disk_format, hash_algo, hash_value, properties },
    ...(stored_as !== undefined && { stored_as }),
    ...(bases && { bases }),
    ...(virtual_size !== undefined && { virtual_size }),
    ...(kernel && { kernel: imageSpec(kernel) }),
    ...(ramdisk && { ramdisk: imageSpec(ramdisk) }),
  }
}
