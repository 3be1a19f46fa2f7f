/** What a host is told of a server: disks, memory, NICs, config drive. */
import type { Ctx } from '#kernel/context.ts'
import type { DiskSpec, GuestSpec, ImageSpec, NicSpec } from '../drivers/driver.ts'
import { configDrive } from '../metadata/metadata.ts'
import { machineSpec } from './machine-spec.ts'
import type { ServerImage, ServerRow } from './server.ts'

/** `holder`: whose room it lies in, when that is a move's. */
export async function guestSpec(ctx: Ctx, server: ServerRow, nics: NicSpec[], holder = server.id): Promise<GuestSpec> {
  return {
    id: server.id,
    name: server.display_name,
    vcpus: server.flavor.vcpus,
    memory_mb: server.flavor.ram,
    disks: disksOf(server),
    nics,
    ...(server.config_drive && { config_drive: await configDrive(ctx, server) }),
    extra_specs: server.flavor.extra_specs,
    ...(await machineSpec(ctx, server, holder)),
  }
}

function disksOf(server: ServerRow): DiskSpec[] {
  const own = ownDisks(server)
  const rescue = server.recovery?.rescue?.image
  if (!rescue) return own
  const { hw_rescue_bus, hw_rescue_device } = rescue.properties
  const source = { type: 'image' as const, image: imageSpec(rescue) }
  const disk = { id: 'rescue', source, size_gb: 0, boot_index: 0, ...(hw_rescue_bus && { bus: hw_rescue_bus }) }
  const others = own.map(each => ({ ...each, boot_index: -1 }))
  // An image that names its device leaves the others where the guest knows them.
  return hw_rescue_bus || hw_rescue_device ? [...others, disk] : [disk, ...others]
}

function ownDisks({ flavor, image }: ServerRow): DiskSpec[] {
  const bus = image?.properties.hw_disk_bus
  const disks: DiskSpec[] = []
  if (image) {
    const source = { type: 'image' as const, image: imageSpec(image) }
    disks.push({ id: 'root', source, size_gb: flavor.disk, boot_index: 0, ...(bus && { bus }) })
  }
  const blank = { source: { type: 'blank' as const }, boot_index: -1, ...(bus && { bus }) }
  if (flavor.ephemeral > 0) disks.push({ id: 'ephemeral0', size_gb: flavor.ephemeral, ...blank })
  if (flavor.swap > 0) disks.push({ id: 'swap', size_gb: flavor.swap / 1024, ...blank })
  return disks
}

function imageSpec({
  id,
  size,
  disk_format,
  hash_algo,
  hash_value,
  properties,
  kernel,
  ramdisk,
}: ServerImage): ImageSpec {
  return {
    id,
    size,
    disk_format,
    hash_algo,
    hash_value,
    properties,
    ...(kernel && { kernel: imageSpec(kernel) }),
    ...(ramdisk && { ramdisk: imageSpec(ramdisk) }),
  }
}
