/** The disks that a request asks for, in either of its forms: read, checked, and found. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Forbidden, NotFound } from '#kernel/errors.ts'
import type { VolumeInfo } from '../../volume/contract.ts'
import { computeConfig } from '../config.ts'
import { integerOf, isTrue } from '../dialect.ts'
import { type BlockDeviceRow, devicePath, isRoot, layout, maxDevices } from './block-device.ts'
import type { BlockDevice, CreateBody, OldBlockDevice } from './create-schema.ts'
import type { ServerFlavor } from './server.ts'

/** A device of every server of the request: its volume may be still to be made. */
export type WantedDevice = Omit<BlockDeviceRow, 'id' | 'server_id' | 'attachment_id'> & { volume_type: string | null }

type ServerBody = CreateBody['server']

export const badDevice = (details: string) => new BadRequest(`Block Device Mapping is Invalid: ${details}`)
const gibibyte = 1024 ** 3
const buses = ['fdc', 'ide', 'sata', 'scsi', 'usb', 'virtio', 'xen', 'lxc', 'uml']

/** Without what needs the rest of the cloud to be checked. An empty list: the image and the flavor say it all. */
export function askedDevices(server: ServerBody): WantedDevice[] {
  const [old, now] = [server.block_device_mapping ?? [], server.block_device_mapping_v2 ?? []]
  if (old.length > 0 && now.length > 0)
    throw new BadRequest('Using different block_device_mapping syntaxes is not allowed in the same request.')
  const hasImage = Boolean(server.imageRef)
  const wanted = old.length > 0 ? ofOldForm(old, hasImage) : now.flatMap(one => ofForm(one, hasImage))
  const root = devicePath('vda')
  if (hasImage && wanted.some(one => one.kind === 'volume' && one.device_name === root && old.length === 0))
    throw new BadRequest(`The volume cannot be assigned the same device name as the root device ${root.slice(5)}`)
  return wanted.map((device, position) => ({ ...device, position }))
}

function ofForm(asked: BlockDevice, hasImage: boolean): WantedDevice[] {
  if (asked.no_device) return []
  const { source_type: source, uuid, volume_type = null, guest_format } = asked
  if (source === undefined) throw badDevice('Some required fields are missing')
  if (source === 'blank' && uuid) throw badDevice('Invalid device UUID.')
  if (source !== 'blank' && !uuid) throw badDevice('Missing device UUID.')
  const local = (asked.destination_type ?? (['image', 'blank'].includes(source) ? 'local' : 'volume')) === 'local'
  const boot_index = bootIndexOf(asked.boot_index)
  if (local && source !== 'blank' && !(source === 'image' && hasImage && boot_index === 0))
    throw badDevice(`Mapping ${source} to local is not supported.`)
  if (local && volume_type !== null)
    throw badDevice('Specifying a volume_type with destination_type=local is not supported.')
  if (source === 'volume' && volume_type !== null)
    throw badDevice('Specifying volume type to existing volume is not supported.')
  const { disk_bus = null } = asked
  if (disk_bus !== null && !buses.includes(disk_bus)) throw badDevice(`The provided disk bus ${disk_bus} is not valid.`)
  const size = asked.volume_size === undefined ? 0 : integerOf(asked.volume_size, 'volume_size', 0)
  return [
    {
      position: 0,
      kind: local ? localKind(source, guest_format) : 'volume',
      source_type: source as WantedDevice['source_type'],
      source_id: source === 'volume' ? null : (uuid ?? null),
      volume_id: source === 'volume' ? uuid! : null,
      boot_index,
      device_name: deviceNameOf(asked.device_name),
      disk_bus,
      size: size === 0 ? null : size,
      delete_on_termination: isTrue(asked.delete_on_termination),
      tag: asked.tag ?? null,
      volume_type,
    },
  ]
}

function localKind(source: string, guest_format: string | undefined): 'root' | 'swap' | 'ephemeral' {
  if (source === 'image') return 'root'
  return guest_format === 'swap' ? 'swap' : 'ephemeral'
}

/** Absent, null and negative never boot. */
function bootIndexOf(asked: BlockDevice['boot_index']): number {
  if (asked === undefined || asked === null) return -1
  const index = Number(asked)
  if (!Number.isSafeInteger(index)) throw badDevice('Boot index is invalid.')
  return Math.max(-1, index)
}

function deviceNameOf(asked: string | undefined): string | null {
  if (asked === undefined) return null
  if (asked === '') throw badDevice('Device name empty or too long.')
  if (asked.includes(' ')) throw badDevice('Device name contains spaces.')
  return devicePath(asked)
}

/** In the old form the root is the device that is named `vda`, or the first that is not blank when there is no image. */
function ofOldForm(asked: OldBlockDevice[], hasImage: boolean): WantedDevice[] {
  const devices = asked.filter(one => !one.no_device).map(ofOldDevice)
  const isRootName = (one: WantedDevice) => one.device_name === devicePath('vda') && one.source_type !== 'blank'
  const root = hasImage ? devices.find(isRootName) : devices.find(one => one.source_type !== 'blank')
  return devices.map(one => (one === root ? { ...one, boot_index: 0 } : one))
}

function ofOldDevice(asked: OldBlockDevice): WantedDevice {
  const { device_name, virtual_name, volume_id, snapshot_id, volume_size, delete_on_termination } = asked
  const named = { ...(device_name !== undefined && { device_name }), ...(volume_size !== undefined && { volume_size }) }
  const form = { ...named, delete_on_termination: isTrue(delete_on_termination) }
  if (virtual_name === 'swap' || /^ephemeral\d+$/.test(virtual_name ?? '')) {
    const blank = { ...form, delete_on_termination: true, source_type: 'blank', destination_type: 'local' }
    return ofForm(virtual_name === 'swap' ? { ...blank, guest_format: 'swap' } : blank, false)[0]!
  }
  const [source_type, uuid] = snapshot_id ? ['snapshot', snapshot_id] : ['volume', volume_id]
  if (!uuid) throw badDevice('Unrecognized legacy format.')
  return ofForm({ ...form, source_type, uuid, destination_type: 'volume' }, false)[0]!
}

export interface DeviceRequest {
  server: ServerBody
  flavor: ServerFlavor
  count: number
}

/** The devices as they will be, or what is wrong with them. */
export async function checkedDevices(ctx: Ctx, asked: WantedDevice[], request: DeviceRequest): Promise<WantedDevice[]> {
  const { server, flavor, count } = request
  if (asked.length === 0) return asked
  const isOld = (server.block_device_mapping ?? []).length > 0
  requireBootSequence(asked, isOld && Boolean(server.imageRef))
  if (count > 1 && asked.some(one => one.source_type === 'volume'))
    throw new BadRequest('Cannot attach one or more volumes to multiple instances')
  requireLocalSizes(ctx, asked, flavor)
  const volumes = asked.flatMap(one => one.volume_id ?? [])
  if (new Set(volumes).size < volumes.length) throw badDevice('a volume is named more than once.')
  const checked: WantedDevice[] = []
  for (const one of asked) checked.push(one.kind === 'volume' ? await checkedVolume(ctx, one, flavor) : one)
  return checked
}

/** Devices that boot are numbered from 0 on, without gaps. */
function requireBootSequence(asked: readonly WantedDevice[], rootIsImage: boolean): void {
  const found = asked.flatMap(one => (one.boot_index >= 0 ? one.boot_index : [])).sort((a, b) => a - b)
  const indexes = rootIsImage && !asked.some(isRoot) ? [0, ...found] : found
  if (indexes.length === 0 || indexes.some((index, at) => index !== at))
    throw badDevice('Boot sequence for the instance and image/block device mapping combination is not valid.')
}

function requireLocalSizes(ctx: Ctx, asked: readonly WantedDevice[], flavor: ServerFlavor): void {
  const rows = asked.map(one => ({ ...one, id: '', server_id: '', attachment_id: null }))
  const all = layout({ flavor, root_device_name: devicePath('vda') }, rows)
  const ephemeral = asked.filter(one => one.kind === 'ephemeral')
  if (ephemeral.reduce((sum, one) => sum + (one.size ?? flavor.ephemeral), 0) > flavor.ephemeral)
    throw new BadRequest(
      'Ephemeral disks requested are larger than the instance type allows. If no size is given in one block device mapping, flavor ephemeral size will be used.',
    )
  // Nothing would be in it.
  if (ephemeral.length > 0 && flavor.ephemeral === 0) throw badDevice('the flavor has no ephemeral disk.')
  const swaps = asked.filter(one => one.kind === 'swap')
  if (swaps.length > 1) throw badDevice('More than one swap drive requested.')
  if (swaps.some(one => (one.size ?? 0) > flavor.swap))
    throw new BadRequest('Swap drive requested is larger than instance type allows.')
  if (swaps.length > 0 && flavor.swap === 0) throw badDevice('the flavor has no swap disk.')
  const most = ctx.config.of(computeConfig).max_local_block_devices
  if (most >= 0 && all.filter(one => one.kind !== 'volume').length > most)
    throw badDevice('You specified more local devices than the limit allows')
  if (all.length > maxDevices) throw tooManyDevices()
}

export const tooManyDevices = () =>
  new Forbidden(
    `The maximum allowed number of disk devices (${maxDevices}) to attach to a single instance has been exceeded.`,
  )

async function checkedVolume(ctx: Ctx, device: WantedDevice, flavor: ServerFlavor): Promise<WantedDevice> {
  const { source_type: source, source_id, volume_id, size } = device
  const { volume: service, image: images } = ctx.services
  const volume_type = device.volume_type === null ? null : await typeNamed(ctx, device.volume_type)
  if (source === 'volume') {
    const volume = await orBad(service?.get(ctx, volume_id!), `failed to get volume ${volume_id}.`)
    requireAttachable(ctx, volume)
    if (isRoot(device)) requireBootable(volume, flavor)
    return { ...device, size: volume.size }
  }
  if (source === 'snapshot') {
    const snapshot = await orBad(service?.getSnapshot(ctx, source_id!), `failed to get snapshot ${source_id}.`)
    return { ...device, volume_type, size: size ?? snapshot.size }
  }
  if (source === 'image') {
    const image = await orBad(images.get(ctx, source_id!), `failed to get image ${source_id}.`)
    if (size === null)
      throw new BadRequest("Images with destination_type 'volume' need to have a non-zero size specified")
    if (image.status !== 'active') throw new BadRequest(`Image ${image.id} is not active.`)
    if (isRoot(device)) requireFits(size, flavor, image)
  } else if (size === null)
    throw new BadRequest("Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size")
  if (!service) throw new BadRequest('This cloud has no volume service.')
  return { ...device, volume_type }
}

/** What is not there, and what the caller may not see, are one. */
async function orBad<T>(found: Promise<T> | undefined, details: string): Promise<T> {
  try {
    if (found) return await found
  } catch (error) {
    if (!(error instanceof NotFound)) throw error
  }
  throw badDevice(details)
}

async function typeNamed(ctx: Ctx, name: string): Promise<string> {
  const found = await ctx.services.volume?.typeNamed(ctx, name)
  if (found === undefined) throw new BadRequest(`Volume type ${name} could not be found.`)
  return found
}

/** Throws what keeps a volume from getting to a server, as far as the request's version goes. */
export function requireAttachable(ctx: Ctx, { multiattach }: Pick<VolumeInfo, 'multiattach'>): void {
  if (multiattach && !ctx.atLeast('2.60'))
    throw new BadRequest('Multiattach volumes are only supported starting with compute API version 2.60.')
}

function requireBootable({ id, bootable, size, image_metadata }: VolumeInfo, flavor: ServerFlavor): void {
  if (!bootable) throw new BadRequest(`Block Device ${id} is not bootable.`)
  const { min_ram = '0', min_disk = '0' } = image_metadata
  requireFits(size, flavor, { min_ram: Number(min_ram), min_disk: Number(min_disk) })
}

function requireFits(size: number, flavor: ServerFlavor, image: { min_ram: number; min_disk: number }): void {
  if (flavor.ram < image.min_ram) throw new BadRequest("Flavor's memory is too small for requested image.")
  if (size < image.min_disk)
    throw new BadRequest(
      'Volume is smaller than the minimum size specified in image metadata. ' +
        `Volume size is ${size * gibibyte} bytes, minimum size is ${image.min_disk * gibibyte} bytes.`,
    )
}
