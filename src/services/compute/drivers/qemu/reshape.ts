/** Makes a guest that is off what a new spec says of it: its disks, its config drive, its machine. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type DiskSpec, GuestError, type GuestSpec } from '../driver.ts'
import { directBootOf, imagesOf } from './build.ts'
import { type Accel, assignPorts, blockdev, type DiskFile } from './command-line.ts'
import { writeConfigDrive } from './config-drive.ts'
import { requireKey, withKey } from './disk-key.ts'
import { createDisk } from './disks.ts'
import type { GuestFiles, QemuHost } from './host.ts'
import { cachedName, type ImageCache } from './image-cache.ts'
import { checkOverlay } from './qcow2.ts'
import { bare, checkSpec, type GuestRecord, hasAgent, vifModel, writeRecord } from './record.ts'
import { run } from './run.ts'

const gigabyte = 1024 ** 3

/** New and larger disks first, then the record, then what is not needed any more: cut off anywhere, it can be done again. */
export async function reshapeGuest(
  host: QemuHost,
  images: ImageCache,
  files: GuestFiles,
  record: GuestRecord,
  spec: GuestSpec,
  accel: Accel,
  signal: AbortSignal,
): Promise<GuestRecord> {
  checkSpec(spec)
  const before = new Map(record.machine.disks.map(disk => [disk.id, disk]))
  const disks: DiskFile[] = []
  for (const disk of spec.disks) {
    const had = before.get(disk.id)
    disks.push(
      had
        ? await resized(host, files, had, disk, spec.disk_key, signal)
        : await added(host, images, files, disk, spec.disk_key, signal),
    )
  }
  if (spec.config_drive) await writeConfigDrive(host, spec.config_drive, files.configDrive, signal)
  const boot = directBootOf(spec, accel)
  const { direct_boot: _, ...old } = record.machine
  const machine = {
    ...old,
    spec: bare(spec),
    accel,
    disks,
    config_drive: old.config_drive || spec.config_drive !== undefined,
    agent: hasAgent(spec),
    vif_model: vifModel(spec),
    ...(boot && { direct_boot: boot }),
  }
  const bases = disks.flatMap(disk => (disk.base ? [disk.base.file.split('/').at(-1)!] : []))
  const booted = boot ? imagesOf(spec).map(cachedName) : []
  const next: GuestRecord = {
    ...record,
    machine: { ...machine, ...assignPorts(machine) },
    images: [...new Set([...bases, ...booted])],
  }
  await writeRecord(files, next)
  for (const { id, file } of before.values()) {
    if (!disks.some(disk => disk.id === id)) await rm(join(files.dir, file), { force: true })
  }
  return next
}

async function added(
  host: QemuHost,
  images: ImageCache,
  files: GuestFiles,
  disk: DiskSpec,
  key: string | undefined,
  signal: AbortSignal,
) {
  if (disk.source.type !== 'image') return await createDisk(host, files.dir, disk, undefined, key, signal)
  const { image } = disk.source
  for (const used of [image, image.kernel, image.ramdisk]) if (used) await images.fetch(used, signal)
  return await createDisk(host, files.dir, disk, cachedName(image), key, signal)
}

async function resized(
  host: QemuHost,
  files: GuestFiles,
  had: DiskFile,
  disk: DiskSpec,
  key: string | undefined,
  signal: AbortSignal,
): Promise<DiskFile> {
  const bytes = disk.size_gb * gigabyte
  const kept = { ...had, boot_index: disk.boot_index }
  // A disk without a size of its own is as large as its image.
  if (bytes === had.bytes || bytes === 0) return kept
  if (bytes < had.bytes) throw new GuestError(`The disk ${disk.id} cannot be made smaller.`)
  await checkOverlay(join(files.dir, had.file), had)
  requireKey([had], key)
  const { file, encrypt } = blockdev(had)
  // The base is left out: nothing of it is needed to grow what stands on it.
  const source = `json:${JSON.stringify({ driver: 'qcow2', backing: null, file, encrypt })}`
  await withKey(host, key, secret => {
    const args = ['resize', '-q', ...secret, source, String(bytes)]
    return run('qemu-img', args, { cwd: files.dir, signal })
  })
  return { ...kept, bytes }
}
