/** Builds a guest's directory: images fetched, disks and config drive made, record written. */
import { mkdir } from 'node:fs/promises'
import { type DiskSpec, GuestError, type GuestSpec, type ImageSpec } from '../driver.ts'
import { type Accel, assignPorts, type DirectBoot } from './command-line.ts'
import { writeConfigDrive } from './config-drive.ts'
import { prepareConsoleLog } from './console-log.ts'
import { checkFits, createDisk } from './disks.ts'
import { guestFiles, type QemuHost } from './host.ts'
import { cachedName, type ImageCache } from './image-cache.ts'
import {
  bare,
  checkSpec,
  type GuestRecord,
  hasAgent,
  imageProperty,
  rootImage,
  vifModel,
  writeRecord,
} from './record.ts'

/** The images that a guest needs, by the names of their files in the cache. */
export function imagesOf(spec: GuestSpec): ImageSpec[] {
  return spec.disks.flatMap(disk => {
    if (disk.source.type !== 'image') return []
    const { image } = disk.source
    return [image, image.kernel, image.ramdisk].filter(used => used !== undefined)
  })
}

/** The directory must not exist, or be empty. */
export async function buildGuest(
  host: QemuHost,
  images: ImageCache,
  spec: GuestSpec,
  accel: Accel,
  signal: AbortSignal,
): Promise<GuestRecord> {
  const files = guestFiles(host, spec.id)
  checkSpec(spec)
  for (const disk of spec.disks) checkSource(disk)
  await mkdir(files.dir, { mode: 0o711 })
  for (const image of imagesOf(spec)) await images.fetch(image, signal)

  const disks = []
  for (const disk of spec.disks) {
    const image = disk.source.type === 'image' ? cachedName(disk.source.image) : undefined
    disks.push(await createDisk(host, files.dir, disk, image, spec.disk_key, signal))
  }
  if (spec.config_drive) await writeConfigDrive(host, spec.config_drive, files.configDrive, signal)
  await prepareConsoleLog(host, files.consoleLog)

  const boot = directBootOf(spec, accel)
  const machine = {
    spec: bare(spec),
    accel,
    disks,
    config_drive: spec.config_drive !== undefined,
    agent: hasAgent(spec),
    vif_model: vifModel(spec),
    ...(boot ? { direct_boot: boot } : {}),
  }
  const record: GuestRecord = {
    revision: 1,
    machine: { ...machine, ...assignPorts(machine) },
    images: imagesOf(spec).map(cachedName),
  }
  await writeRecord(files, record)
  return record
}

/** What can be refused before a byte is fetched. */
function checkSource(disk: DiskSpec) {
  if (disk.source.type === 'volume')
    throw new GuestError('Volumes cannot be attached on this host.', { retryElsewhere: true })
  // A stored file that is larger than the disk cannot fit, whatever its virtual size.
  if (disk.source.type === 'image' && disk.source.image.disk_format === 'raw') checkFits(disk, disk.source.image.size)
}

/** An image with a kernel of its own boots it directly. */
export function directBootOf(spec: GuestSpec, accel: Accel): DirectBoot | undefined {
  const image = rootImage(spec)
  if (!image?.kernel) return undefined
  const path = (used: ImageSpec) => `../../images/${cachedName(used)}`
  const usual = `root=/dev/vda console=tty0 console=ttyS0${accel === 'tcg' ? ' no_timer_check' : ''}`
  return {
    kernel: path(image.kernel),
    ...(image.ramdisk ? { ramdisk: path(image.ramdisk) } : {}),
    command_line: imageProperty(spec, 'os_command_line') ?? usual,
  }
}
