/** The image of a new server: found, usable, small enough for the flavor; kept as the host will need it. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Forbidden, NotFound } from '#kernel/errors.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import type { ImageInfo } from '../../image/contract.ts'
import { bootFormat } from '../image-formats.ts'
import { storedBases } from '../stored-bases.ts'
import type { ServerFlavor, ServerImage, ServerRow } from './server.ts'

export const zeroDiskFlavor = rule('os_compute_api:servers:create:zero_disk_flavor', admin)

const gibibyte = 1024 ** 3

async function visibleImage(ctx: Ctx, id: string, missing = 'Can not find requested image'): Promise<ImageInfo> {
  try {
    return await ctx.services.image.get(ctx, id)
  } catch (error) {
    if (error instanceof NotFound) throw new BadRequest(missing)
    throw error
  }
}

export async function imageOfServer(
  ctx: Ctx,
  id: string,
  flavor: ServerFlavor,
  missing?: string,
): Promise<ServerImage> {
  const info = await visibleImage(ctx, id, missing)
  const image = await usableImage(ctx, info)
  checkSizes(ctx, info, flavor)
  return image
}

/** An image to boot from beside the server's own disks. */
export async function rescueImage(ctx: Ctx, id: string): Promise<ServerImage> {
  const unsupported = `Requested rescue image '${id}' is not supported`
  const info = await visibleImage(ctx, id, unsupported)
  if (info.properties.img_block_device_mapping !== undefined) throw new BadRequest(unsupported)
  return usableImage(ctx, info)
}

/** What a server that was shelved is made of again: its stored disk, with the properties of its own image. */
export async function shelvedImage(ctx: Ctx, server: ServerRow): Promise<ServerImage | null> {
  const id = server.recovery?.shelved?.image_id
  if (id === undefined) return server.image
  const stored = await usableImage(ctx, await visibleImage(ctx, id, `The image ${id} of the shelved server is gone.`))
  return { ...stored, properties: server.image?.properties ?? stored.properties }
}

/** Throws when a server made of the image cannot have the flavor. */
export function checkFlavor(image: ServerImage | null, flavor: ServerFlavor): void {
  if (!image) return
  if (flavor.ram < image.min_ram) throw new BadRequest("Flavor's memory is too small for requested image.")
  if (image.min_disk > flavor.disk && flavor.disk > 0) {
    throw new BadRequest(
      "Flavor's disk is smaller than the minimum size specified in image metadata. " +
        `Flavor disk is ${flavor.disk * gibibyte} bytes, minimum size is ${image.min_disk * gibibyte} bytes.`,
    )
  }
}

async function usableImage(ctx: Ctx, info: ImageInfo): Promise<ServerImage> {
  const { id, status, disk_format, os_hash_algo, os_hash_value, size } = info
  if (status !== 'active') throw new BadRequest(`Image ${id} is not active.`)
  const format = bootFormat(disk_format)
  if (!format || size === null || os_hash_algo === null || os_hash_value === null) {
    throw new BadRequest(
      `Image ${id} is unacceptable: its disk format ${disk_format} cannot be booted: use raw or qcow2`,
    )
  }
  const { kernel_id, ramdisk_id } = info.properties
  return {
    id,
    name: info.name,
    size,
    ...format,
    ...(info.virtual_size !== null && { virtual_size: info.virtual_size }),
    ...(disk_format === 'iso' && { optical: true }),
    ...(info.unacceptable !== null && { unacceptable: info.unacceptable }),
    hash_algo: os_hash_algo,
    hash_value: os_hash_value,
    ...(info.base_image_id !== null && { bases: await storedBases(ctx, info) }),
    min_disk: info.min_disk,
    min_ram: info.min_ram,
    properties: info.properties,
    ...(kernel_id && { kernel: await usableImage(ctx, await visibleImage(ctx, kernel_id)) }),
    ...(ramdisk_id && { ramdisk: await usableImage(ctx, await visibleImage(ctx, ramdisk_id)) }),
  }
}

function checkSizes(ctx: Ctx, { min_ram, min_disk, size, virtual_size }: ImageInfo, flavor: ServerFlavor): void {
  if (flavor.ram < min_ram) throw new BadRequest("Flavor's memory is too small for requested image.")
  if (flavor.disk === 0) {
    if (ctx.can(zeroDiskFlavor)) return
    throw new Forbidden('Only volume-backed servers are allowed for flavors with zero disk.')
  }
  const disk = flavor.disk * gibibyte
  const needed = Math.max(size ?? 0, virtual_size ?? 0)
  if (needed > disk) {
    throw new BadRequest(
      `Flavor's disk is too small for requested image. Flavor disk is ${disk} bytes, image is ${needed} bytes.`,
    )
  }
  if (min_disk * gibibyte > disk) {
    throw new BadRequest(
      "Flavor's disk is smaller than the minimum size specified in image metadata. " +
        `Flavor disk is ${disk} bytes, minimum size is ${min_disk * gibibyte} bytes.`,
    )
  }
}
