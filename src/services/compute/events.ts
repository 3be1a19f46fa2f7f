/** Events of servers. Each keeps what the server was at that moment; `notifications/` reads it in upstream's formats. */
import type { Ctx } from '#kernel/context.ts'
import type { SagaError } from '#kernel/saga/saga.ts'
import type { ServerPort } from '../network/contract.ts'
import { computeConfig } from './config.ts'
import { numberOfFlavor } from './flavors/store-numbers.ts'
import type { BlockDeviceRow } from './servers/block-device.ts'
import type { ServerFlavor, ServerImage, ServerRow, VmState } from './servers/server.ts'
import { devicesOf } from './servers/store-block-devices.ts'
import { findServer, guestDataOf } from './servers/store-servers.ts'
import { tagsOf } from './servers/store-tags.ts'

/** Of a server's image: what consumers are told. */
export type ImageFacts = Pick<ServerImage, 'id' | 'disk_format' | 'min_disk' | 'min_ram' | 'properties'> & {
  kernel_id: string
  ramdisk_id: string
}

export type ServerFacts = Omit<ServerRow, 'image' | 'fault' | 'recovery'> & { image: ImageFacts | null }

export interface AddressFacts {
  address: string
  version: 4 | 6
  label: string
  mac: string
  port_id: string
}

export type VolumeFacts = Pick<
  BlockDeviceRow,
  'device_name' | 'boot_index' | 'delete_on_termination' | 'volume_id' | 'tag'
>

export interface FaultFacts {
  exception: string
  message: string
  /** The step that failed. */
  step: string
  details: string
}

/** What is known besides of some events. */
export interface EventFacts {
  fault?: FaultFacts
  snapshot_image_id?: string
  rescue_image_id?: string
  volume_id?: string
  /** Of a volume that takes another's place. */
  new_volume_id?: string
  new_flavor?: ServerFlavor
  tags?: string[]
  public_key?: { text: string; type: string } | null
  old?: { vm_state?: VmState; task_state?: string | null; display_name?: string }
  audit_period?: { begin: string; end: string }
  /** Why a server was changed that nobody asked for. */
  reason?: string
}

export interface ServerEvent extends EventFacts {
  server: ServerFacts
  /** Of the server's flavor, and of that which it is to get; missing in events from before these were told. */
  flavor_number?: number | null
  new_flavor_number?: number | null
  addresses: AddressFacts[]
  /** Where the configuration wants them told. */
  volumes?: VolumeFacts[]
  image_url: string
}

const prefix = 'compute.instance.'

/** Tells of a server, by its row or its id, in the caller's transaction: `pause.start`. Nothing is told of one that is gone. */
export async function tell(ctx: Ctx, server: ServerRow | string, event: string, facts: EventFacts = {}): Promise<void> {
  const row = typeof server === 'string' ? await findServer(ctx, server) : server
  if (!row) return
  const payload: ServerEvent = {
    server: factsOf(row),
    addresses: row.launched_at === null && event === 'create.start' ? [] : await addressesOf(ctx, row.id),
    flavor_number: await numberOfFlavor(ctx, row.flavor_id),
    ...(facts.new_flavor && { new_flavor_number: await numberOfFlavor(ctx, facts.new_flavor.id) }),
    ...(ctx.config.of(computeConfig).notify_block_devices && { volumes: await volumesOf(ctx, row.id) }),
    image_url: row.image_ref === null ? '' : `${ctx.publicUrl}/image/images/${row.image_ref}`,
    ...(event.startsWith('create.') && (await ofCreation(ctx, row))),
    ...facts,
  }
  await ctx.events.emit(ctx, `${prefix}${event}`, row.id, payload as unknown as Record<string, unknown>)
}

/** Tells of each, in order. */
export async function tellAll(ctx: Ctx, server: ServerRow | string, events: readonly string[], facts: EventFacts = {}) {
  for (const event of events) await tell(ctx, server, event, facts)
}

/** The stem of a server's event, `pause.start`; undefined for other events. */
export const stemOf = (type: string) => (type.startsWith(prefix) ? type.slice(prefix.length) : undefined)

export const faultFacts = ({ name, message, step, details }: SagaError): FaultFacts => ({
  exception: name,
  message,
  step: step ?? '',
  details,
})

function factsOf({ fault: _fault, recovery: _recovery, image, ...row }: ServerRow): ServerFacts {
  if (!image) return { ...row, image: null }
  const { id, disk_format, min_disk, min_ram, properties, kernel, ramdisk } = image
  const boot = { kernel_id: kernel?.id ?? '', ramdisk_id: ramdisk?.id ?? '' }
  return { ...row, image: { id, disk_format, min_disk, min_ram, properties, ...boot } }
}

async function volumesOf(ctx: Ctx, id: string): Promise<VolumeFacts[]> {
  const devices = (await devicesOf(ctx, id)).filter(({ volume_id }) => volume_id !== null)
  return devices.map(({ device_name, boot_index, delete_on_termination, volume_id, tag }) => ({
    ...{ device_name, boot_index, delete_on_termination, volume_id, tag },
  }))
}

async function addressesOf(ctx: Ctx, id: string): Promise<AddressFacts[]> {
  const ports = (await ctx.services.network.portsOf(ctx, [id])).get(id) ?? []
  return ports.flatMap((port: ServerPort) =>
    port.fixed_ips.map(({ ip_address, version }) => ({
      address: ip_address,
      version,
      label: port.network_name,
      mac: port.mac_address,
      port_id: port.id,
    })),
  )
}

async function ofCreation(ctx: Ctx, { id, key_name }: ServerRow): Promise<EventFacts> {
  const key = key_name === null ? undefined : await guestDataOf(ctx, id)
  const public_key = key?.public_key ? { text: key.public_key, type: key.key_type ?? 'ssh' } : null
  return { tags: await tagsOf(ctx, id), public_key }
}
