/** A disk of a server that was asked for: its row, its name in the guest, how hosts are told of it. */
import type { DiskSpec } from '../drivers/driver.ts'
import type { ServerFlavor, ServerRow } from './server.ts'

/** `root` is made of the server's image, `ephemeral` and `swap` are empty; these are on the host. A `volume` is the volume service's. */
export type DeviceKind = 'root' | 'ephemeral' | 'swap' | 'volume'

export interface BlockDeviceRow {
  id: string
  server_id: string
  /** Devices of a server in the order in which they were asked for. */
  position: number
  kind: DeviceKind
  /** As it was asked for: what the device was made of. */
  source_type: 'image' | 'blank' | 'snapshot' | 'volume'
  /** Of the image or snapshot that a volume was made of. */
  source_id: string | null
  volume_id: string | null
  attachment_id: string | null
  /** 0 is the root device; negative never boots. */
  boot_index: number
  device_name: string | null
  disk_bus: string | null
  /** GiB, MiB of swap; null: as the flavor has it. */
  size: number | null
  delete_on_termination: boolean
  tag: string | null
}

/** A device that the volume service attaches. */
export type VolumeDevice = BlockDeviceRow & { kind: 'volume'; volume_id: string; attachment_id: string }

export const isVolume = (device: BlockDeviceRow): device is VolumeDevice =>
  device.kind === 'volume' && device.volume_id !== null && device.attachment_id !== null

export const isRoot = (device: Pick<BlockDeviceRow, 'boot_index'>) => device.boot_index === 0

/** Most disks of a guest: their names end with one letter. */
export const maxDevices = 26

const prefixes: Record<string, string> = { scsi: 'sd', sata: 'sd', usb: 'sd', ide: 'hd', fdc: 'fd' }

/** `/dev/vdb`: the first name that is free on a bus. */
export function freeName(bus: string | null, taken: ReadonlySet<string>): string | undefined {
  const prefix = prefixes[bus ?? 'virtio'] ?? 'vd'
  for (let letter = 0; letter < maxDevices; letter++) {
    const name = `/dev/${prefix}${String.fromCharCode(97 + letter)}`
    if (!taken.has(name)) return name
  }
  return undefined
}

/** `vdb` and `/dev/vdb` are the same. */
export const devicePath = (name: string) => (name.startsWith('/dev/') ? name : `/dev/${name}`)

type Shape = Pick<ServerRow, 'flavor' | 'root_device_name'>

/** All disks of a server in the guest's order, with names: those that were asked for, and the flavor's where nothing else was. */
export function layout(server: Shape, devices: readonly BlockDeviceRow[]): BlockDeviceRow[] {
  const [root, others] = [devices.filter(isRoot), devices.filter(one => !isRoot(one))]
  const local = others.filter(one => one.kind !== 'volume')
  const volumes = others.filter(one => one.kind === 'volume')
  const all = [...rootOf(server, root), ...local, ...ofFlavor(server.flavor, devices), ...volumes]
  const taken = new Set(all.flatMap(one => one.device_name ?? []))
  return all.map(device => {
    if (device.device_name !== null) return device
    const device_name = freeName(device.disk_bus, taken) ?? null
    if (device_name !== null) taken.add(device_name)
    return { ...device, device_name }
  })
}

const unasked = {
  server_id: '',
  source_type: 'blank',
  source_id: null,
  volume_id: null,
  attachment_id: null,
  boot_index: -1,
  device_name: null,
  disk_bus: null,
  size: null,
  delete_on_termination: true,
  tag: null,
} as const

function rootOf({ root_device_name: device_name }: Shape, asked: BlockDeviceRow[]): BlockDeviceRow[] {
  if (asked.length > 0) return asked
  const image = { kind: 'root', source_type: 'image', boot_index: 0, device_name } as const
  return [{ ...unasked, id: 'root', position: -1, ...image }]
}

function ofFlavor(flavor: Pick<ServerFlavor, 'ephemeral' | 'swap'>, devices: readonly BlockDeviceRow[]) {
  const lacks = (kind: DeviceKind) => !devices.some(one => one.kind === kind)
  const added: BlockDeviceRow[] = []
  const last = { ...unasked, position: devices.length }
  if (flavor.ephemeral > 0 && lacks('ephemeral')) added.push({ ...last, id: 'ephemeral0', kind: 'ephemeral' })
  if (flavor.swap > 0 && lacks('swap')) added.push({ ...last, id: 'swap', kind: 'swap' })
  return added
}

/** Ids of local disks on their host; a volume's is its own. */
export function diskId(device: BlockDeviceRow, all: readonly BlockDeviceRow[]): string {
  if (device.volume_id !== null) return device.volume_id
  if (device.kind !== 'ephemeral') return device.kind
  return `ephemeral${all.filter(one => one.kind === 'ephemeral').findIndex(one => one.id === device.id)}`
}

/** GiB of a local disk. */
export function localSize(device: BlockDeviceRow, flavor: ServerFlavor): number {
  if (device.kind === 'swap') return (device.size ?? flavor.swap) / 1024
  return device.kind === 'root' ? flavor.disk : (device.size ?? flavor.ephemeral)
}

/** What all disks of a host are told alike. */
export function diskSpec(
  device: BlockDeviceRow,
  about: { id: string; source: DiskSpec['source']; size_gb: number; bus: string | undefined },
): DiskSpec {
  const { id, source, size_gb } = about
  const bus = device.disk_bus ?? about.bus
  return {
    id,
    source,
    size_gb,
    boot_index: device.boot_index,
    ...(bus && { bus }),
    ...(device.device_name !== null && { device_name: device.device_name.replace('/dev/', '') }),
  }
}
