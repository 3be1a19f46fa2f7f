/** A guest's disks as files: qcow2 overlays on cached images, empty disks, flattened copies. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type DiskSpec, GuestError, type ImageSpec } from '../driver.ts'
import type { DiskFile } from './command-line.ts'
import { encryptedOptions, untilMeasured, withKey } from './disk-key.ts'
import { give, type QemuHost } from './host.ts'
import { qcow2VirtualSize } from './qcow2.ts'
import { run } from './run.ts'

const gigabyte = 1024 ** 3

/** Makes the disk's file in the guest's directory. `image`: the name of its cached image. */
export async function createDisk(
  host: QemuHost,
  dir: string,
  disk: DiskSpec,
  image: string | undefined,
  key: string | undefined,
  signal: AbortSignal,
): Promise<DiskFile> {
  if (!/^[0-9A-Za-z][\w.-]{0,63}$/.test(disk.id))
    throw new GuestError(`The disk id ${JSON.stringify(disk.id)} is not usable.`)
  const file = `disk-${disk.id}.qcow2`
  const base = image === undefined ? undefined : { file: `../../images/${image}`, format: formatOf(disk) }
  const bytes = base ? await overlaySize(join(dir, base.file), disk) : disk.size_gb * gigabyte
  if (bytes <= 0) throw new GuestError(`The disk ${disk.id} has no size.`)
  // -u: the base is not opened. Its header is hostile, and was read by our own parser already.
  const backing = base ? ['-u', '-F', base.format, '-b', base.file] : []
  await withKey(host, key, secret => {
    const encrypted = key === undefined ? [] : [...secret, '-o', encryptedOptions]
    const args = ['create', '-q', '-f', 'qcow2', ...encrypted, ...backing, file, String(bytes)]
    return untilMeasured(() => run('qemu-img', args, { cwd: dir, signal }))
  })
  await give(host, join(dir, file), 0o600)
  const made = { id: disk.id, file, bytes, boot_index: disk.boot_index, bus: busOf(disk) }
  const { cdrom } = disk
  return { ...made, ...(cdrom && { cdrom }), ...(base && { base }), ...(key !== undefined && { encrypted: true }) }
}

/** Bytes that the guest sees in the image. */
export async function virtualSize(path: string, format: ImageSpec['disk_format']): Promise<number> {
  return format === 'qcow2' ? await qcow2VirtualSize(path) : Math.ceil((await stat(path)).size / 512) * 512
}

/** Throws when the image does not fit the flavor's disk. A disk of 0 GB takes the image's own size. */
export function checkFits(disk: DiskSpec, bytes: number) {
  const flavor = disk.size_gb * gigabyte
  if (flavor > 0 && bytes > flavor) {
    throw new GuestError(
      `Flavor's disk is too small for requested image. Flavor disk is ${flavor} bytes, image is ${bytes} bytes.`,
    )
  }
}

async function overlaySize(base: string, disk: DiskSpec): Promise<number> {
  const bytes = await virtualSize(base, formatOf(disk))
  checkFits(disk, bytes)
  return disk.size_gb > 0 ? disk.size_gb * gigabyte : bytes
}

const formatOf = (disk: DiskSpec) => (disk.source.type === 'image' ? disk.source.image.disk_format : 'raw')

function busOf(disk: DiskSpec): DiskFile['bus'] {
  const { hw_disk_bus, hw_cdrom_bus } = disk.source.type === 'image' ? disk.source.image.properties : {}
  const bus = disk.bus ?? (disk.cdrom ? (hw_cdrom_bus ?? 'sata') : (hw_disk_bus ?? 'virtio'))
  // A machine without IDE has the same drives on SATA.
  if (bus === 'sata' || bus === 'ide') return 'sata'
  if (bus === 'scsi') return bus
  if (disk.cdrom) throw new GuestError(`A CD-ROM drive cannot be on the bus ${JSON.stringify(bus)}: use scsi or sata.`)
  if (bus === 'virtio' || bus === 'usb') return bus
  throw new GuestError(`The disk bus ${JSON.stringify(bus)} is not supported: use virtio, scsi, sata or usb.`)
}
