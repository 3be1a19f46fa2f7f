/** The image `tiny` of a new cloud: built once from Debian packages, kept in the user's cache; an empty disk in a simulated cloud. */
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '#kernel/errors.ts'
import type { Cloud } from '../cloud.ts'

export async function ensureTinyImage(
  cloud: Cloud,
  { simulated, dir }: { simulated: boolean; dir: string },
): Promise<void> {
  const ctx = cloud.ctx()
  const { image } = ctx.services
  if (await image.findPublic(ctx, 'tiny')) return
  const { path, disk_format } = simulated ? emptyDisk(dir) : await built(cloud)
  if (!path) return
  await image.ensureFromFile(ctx, {
    name: 'tiny',
    path,
    disk_format,
    container_format: 'bare',
    min_disk: 1,
    min_ram: 64,
    properties: { os_distro: 'nephos-tiny', ...(!simulated && { hw_qemu_guest_agent: 'yes' }) },
  })
}

/** Simulated guests read no disk, but an image has bytes. */
function emptyDisk(dir: string) {
  const path = join(dir, 'empty.raw')
  writeFileSync(path, '')
  truncateSync(path, 64 * 1024)
  return { path, disk_format: 'raw' as const }
}

async function built(cloud: Cloud) {
  try {
    const { buildTinyImage } = await import('./image-build.ts')
    const log = (line: string) => console.log(line)
    return { path: (await buildTinyImage({ log, refresh: false })).disk, disk_format: 'qcow2' as const }
  } catch (error) {
    cloud.env.log.error({ err: error }, 'the tiny image could not be built')
    process.stderr.write(
      `The image "tiny" could not be built: ${messageOf(error)}\nUpload another with: openstack image create --file FILE --disk-format qcow2 NAME\n`,
    )
    return { path: undefined, disk_format: 'qcow2' as const }
  }
}
