/** What a network is on the wire: its type, its number there, and that no two share one. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { Conflict } from '#kernel/errors.ts'
import { networkConfig } from '../config.ts'
import { invalidInput, noNetworkAvailable } from '../errors.ts'
import { freeSegment, type NetworkRow, networkRows } from './store.ts'

type Wire = Pick<NetworkRow, 'network_type' | 'physical_network' | 'segmentation_id' | 'segment_key' | 'segment'>

export interface WireRequest {
  network_type?: string | undefined
  physical_network?: string | undefined
  segmentation_id?: number | undefined
}

/** Numbers above those of tunnels, for networks that have none of their own. */
const firstLocalSegment = 20_000_000
/** What a VXLAN header takes from every packet. */
const tunnelOverhead = 50

/** Finds a place on the wire; others who look for one wait until this transaction ends. */
export async function claimSegment(ctx: Ctx, request: WireRequest): Promise<Wire> {
  await lock(ctx.db, ctx.database.engine, 'network.segments')
  const type = request.network_type ?? 'vxlan'
  if (request.network_type === undefined && (request.physical_network ?? request.segmentation_id) !== undefined)
    throw invalidInput('network_type value required')
  switch (type) {
    case 'vxlan':
      return claimTunnel(ctx, request)
    case 'flat':
      return claimFlat(ctx, request)
    case 'vlan':
      return claimVlan(ctx, request)
    case 'local':
      return localWire(ctx)
    default:
      throw invalidInput(`network_type value '${type}' not supported`)
  }
}

async function claimTunnel(ctx: Ctx, { physical_network, segmentation_id }: WireRequest): Promise<Wire> {
  if (physical_network !== undefined) throw invalidInput('provider:physical_network specified for vxlan network')
  const { first_segment, last_segment } = ctx.config.of(networkConfig)
  const segment = segmentation_id ?? (await freeSegment(ctx.db, first_segment, last_segment))
  if (segment === undefined) throw noNetworkAvailable()
  if (segment < 1 || segment > 16_777_215) throw invalidInput(`segmentation_id out of range (1 through 16777215)`)
  if (await networkRows.find(ctx.db, { segment }))
    throw new Conflict(`Unable to create the network. The tunnel ID ${segment} is in use.`, { type: 'TunnelIdInUse' })
  const segment_key = `vxlan:${segment}`
  return { network_type: 'vxlan', physical_network: null, segmentation_id: segment, segment_key, segment }
}

async function claimFlat(ctx: Ctx, { physical_network, segmentation_id }: WireRequest): Promise<Wire> {
  if (physical_network === undefined) throw invalidInput('physical_network required for flat provider network')
  if (segmentation_id !== undefined) throw invalidInput('segmentation_id prohibited for flat provider network')
  const segment_key = `flat:${physical_network}`
  if (await networkRows.find(ctx.db, { segment_key }))
    throw new Conflict(`Unable to create the flat network. Physical network ${physical_network} is in use.`, {
      type: 'FlatNetworkInUse',
    })
  const segment = await localSegment(ctx)
  return { network_type: 'flat', physical_network, segmentation_id: null, segment_key, segment }
}

async function claimVlan(ctx: Ctx, { physical_network, segmentation_id }: WireRequest): Promise<Wire> {
  if (physical_network === undefined) throw invalidInput('physical_network required for VLAN provider network')
  if (segmentation_id === undefined || segmentation_id < 1 || segmentation_id > 4094)
    throw invalidInput('segmentation_id out of range (1 through 4094)')
  const segment_key = `vlan:${physical_network}:${segmentation_id}`
  if (await networkRows.find(ctx.db, { segment_key }))
    throw new Conflict(
      `Unable to create the network. The VLAN ${segmentation_id} on physical network ${physical_network} is in use.`,
      { type: 'VlanIdInUse' },
    )
  const segment = await localSegment(ctx)
  return { network_type: 'vlan', physical_network, segmentation_id, segment_key, segment }
}

async function localWire(ctx: Ctx): Promise<Wire> {
  const segment = await localSegment(ctx)
  return {
    network_type: 'local',
    physical_network: null,
    segmentation_id: null,
    segment_key: `local:${segment}`,
    segment,
  }
}

async function localSegment(ctx: Ctx): Promise<number> {
  const segment = await freeSegment(ctx.db, firstLocalSegment, firstLocalSegment + 1_000_000)
  if (segment === undefined) throw noNetworkAvailable()
  return segment
}

/** The largest packet of a network of this type. */
export function largestMtu(ctx: Ctx, type: NetworkRow['network_type']): number {
  const { physical_mtu } = ctx.config.of(networkConfig)
  return type === 'vxlan' ? physical_mtu - tunnelOverhead : physical_mtu
}

/** The MTU asked for, or the largest. */
export function mtuFor(ctx: Ctx, type: NetworkRow['network_type'], wanted: number | undefined): number {
  const largest = largestMtu(ctx, type)
  if (!wanted) return largest
  if (wanted > largest) throw invalidInput(`Requested MTU is too big, maximum is ${largest}`)
  return wanted
}
