/** Choosing addresses: which of a network's a port gets, without two ports ever having the same. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import {
  contains,
  eui64,
  formatAddress,
  normalAddress,
  parseAddress,
  parseCidr,
  parseRange,
  type Range,
  sizeOf,
} from '../addresses.ts'
import {
  badResource,
  invalidInput,
  invalidIpForNetwork,
  invalidIpForSubnet,
  ipAddressInUse,
  noMoreAddresses,
  subnetNotFound,
} from '../errors.ts'
import { type SubnetRow, selfAddressed, subnetsOf } from '../subnets/store.ts'
import { takenAmong, takenIn } from './store.ts'

/** An address asked for: any of a subnet, a certain one of a subnet, or a certain one of whichever subnet has it. */
export interface AddressRequest {
  subnet_id?: string
  ip_address?: string
}

export interface ChosenAddress {
  subnet_id: string
  ip_address: string
}

interface PortAbout {
  network_id: string
  mac_address: string
  device_owner: string
}

/** Makes others who choose addresses on these networks wait until this transaction ends. Always in one order, so none waits in a circle. */
export async function lockAddresses(ctx: Ctx, networkIds: Iterable<string>): Promise<void> {
  for (const id of [...new Set(networkIds)].sort()) await lock(ctx.db, ctx.database.engine, `network.addresses:${id}`)
}

/** Chooses the addresses of a port. `requests` undefined: one of each family, as the network offers. Call it under `lockAddresses`. */
export async function chooseAddresses(
  ctx: Ctx,
  port: PortAbout,
  requests: AddressRequest[] | undefined,
  kept: ChosenAddress[] = [],
): Promise<ChosenAddress[]> {
  const subnets = await subnetsOf(ctx.db, [port.network_id])
  if (requests === undefined)
    return chooseFreely(
      ctx,
      port,
      subnets.filter(subnet => serves(subnet, port)),
    )
  const chosen: ChosenAddress[] = []
  for (const request of requests) chosen.push(await chooseOne(ctx, port, subnets, request, [...kept, ...chosen]))
  return [...chosen, ...impliedAddresses(port, subnets, [...kept, ...chosen])]
}

/** A subnet that is meant for some kinds of port serves no others. */
const serves = (subnet: SubnetRow, port: PortAbout) =>
  subnet.service_types.length === 0 || subnet.service_types.includes(port.device_owner)

const isRouterPort = (port: PortAbout) => port.device_owner.startsWith('network:router_')

async function chooseFreely(ctx: Ctx, port: PortAbout, subnets: SubnetRow[]): Promise<ChosenAddress[]> {
  const formed = isRouterPort(port) ? [] : subnets.filter(selfAddressed)
  const chosen = formed.map(subnet => formedAddress(subnet, port))
  for (const version of [4, 6] as const) {
    const offered = subnets.filter(subnet => subnet.ip_version === version && !formed.includes(subnet))
    if (offered.length === 0) continue
    const address = await firstWithRoom(ctx, offered)
    if (!address) throw noMoreAddresses(port.network_id)
    chosen.push(address)
  }
  return chosen.sort((a, b) => versionOf(a) - versionOf(b))
}

const versionOf = ({ ip_address }: ChosenAddress) => parseAddress(ip_address)!.version

async function firstWithRoom(ctx: Ctx, subnets: SubnetRow[]): Promise<ChosenAddress | undefined> {
  for (const subnet of subnets) {
    const ip_address = await freeAddress(ctx, subnet)
    if (ip_address !== undefined) return { subnet_id: subnet.id, ip_address }
  }
  return undefined
}

/** Guests on a self-addressed subnet have an address there whatever else was asked for. */
function impliedAddresses(port: PortAbout, subnets: SubnetRow[], others: ChosenAddress[]): ChosenAddress[] {
  if (isRouterPort(port) || others.length === 0) return []
  const named = new Set(others.map(address => address.subnet_id))
  const implied = subnets.filter(subnet => selfAddressed(subnet) && !named.has(subnet.id) && serves(subnet, port))
  return implied.map(subnet => formedAddress(subnet, port))
}

export const formedAddress = (subnet: SubnetRow, port: PortAbout): ChosenAddress => ({
  subnet_id: subnet.id,
  ip_address: eui64(parseCidr(subnet.cidr)!, port.mac_address),
})

async function chooseOne(
  ctx: Ctx,
  port: PortAbout,
  subnets: SubnetRow[],
  request: AddressRequest,
  before: ChosenAddress[],
): Promise<ChosenAddress> {
  const subnet = subnetOf(port, subnets, request)
  if (request.ip_address === undefined) {
    if (selfAddressed(subnet) && !isRouterPort(port)) return formedAddress(subnet, port)
    const excluded = new Set(before.map(address => address.ip_address))
    const ip_address = await freeAddress(ctx, subnet, excluded, port.device_owner === 'network:dhcp' ? 0 : tries)
    if (ip_address === undefined) throw noMoreAddresses(port.network_id)
    return { subnet_id: subnet.id, ip_address }
  }
  const ip_address = normalAddress(request.ip_address)!
  if (selfAddressed(subnet) && !isRouterPort(port) && ip_address !== formedAddress(subnet, port).ip_address)
    throw invalidInput(
      `IPv6 address ${ip_address} can not be directly assigned to a port on subnet ${subnet.id} as the subnet is configured for automatic addresses`,
    )
  if (before.some(other => other.subnet_id === subnet.id && other.ip_address === ip_address))
    throw invalidInput(`Duplicate IP address ${ip_address}`)
  if ((await takenAmong(ctx.db, subnet.id, [ip_address])).size > 0) throw ipAddressInUse(port.network_id, ip_address)
  return { subnet_id: subnet.id, ip_address }
}

function subnetOf(port: PortAbout, subnets: SubnetRow[], { subnet_id, ip_address }: AddressRequest): SubnetRow {
  const address = ip_address === undefined ? undefined : parseAddress(ip_address)
  if (ip_address !== undefined && !address) throw invalidInput(`'${ip_address}' is not a valid IP address`)
  if (subnet_id === undefined) {
    if (!address) throw invalidInput('IP allocation requires subnet_id or ip_address')
    const found = subnets.find(subnet => contains(parseCidr(subnet.cidr)!, address))
    if (!found) throw invalidIpForNetwork(ip_address!)
    if (!isHostAddress(found, address.value)) throw invalidIpForSubnet(ip_address!)
    return found
  }
  const subnet = subnets.find(one => one.id === subnet_id)
  if (!subnet) {
    throw badSubnet(port, subnet_id)
  }
  if (address && (!contains(parseCidr(subnet.cidr)!, address) || !isHostAddress(subnet, address.value)))
    throw invalidIpForSubnet(ip_address!)
  return subnet
}

function badSubnet(port: PortAbout, subnetId: string) {
  return /^[0-9a-f-]{32,36}$/i.test(subnetId)
    ? invalidInput(
        `Failed to create port on network ${port.network_id}, because fixed_ips included invalid subnet ${subnetId}`,
      )
    : subnetNotFound(subnetId)
}

/** False for the address of the network itself and the broadcast address. */
function isHostAddress(subnet: SubnetRow, value: bigint): boolean {
  const { version, prefix, first, last } = parseCidr(subnet.cidr)!
  if (prefix >= (version === 4 ? 31 : 127)) return true
  return value !== first && (version === 6 || value !== last)
}

/** How many addresses are tried by chance before the whole subnet is looked at. */
const tries = 4
const perTry = 8
/** Large pools are filled from their beginning: short addresses are easier on people. */
const window = 1n << 16n

/**
 * A free address of the subnet's pools, chosen by chance so that one just freed is not used again at once.
 * Without tries it is the lowest: DHCP has that, since users who choose addresses themselves leave it alone.
 */
async function freeAddress(
  ctx: Ctx,
  subnet: SubnetRow,
  excluded = new Set<string>(),
  chances = tries,
): Promise<string | undefined> {
  const pools = subnet.allocation_pools.map(pool => parseRange(pool)!)
  const total = pools.reduce((sum, pool) => sum + sizeOf(pool), 0n)
  if (total === 0n) return undefined
  const version = subnet.ip_version
  const gateway = subnet.gateway_ip === null ? undefined : normalAddress(subnet.gateway_ip)
  for (let i = 0; i < chances; i++) {
    const candidates = Array.from({ length: perTry }, () =>
      formatAddress(version, nth(pools, randomBelow(ctx, total < window ? total : window))),
    )
    const taken = await takenAmong(ctx.db, subnet.id, candidates)
    const free = candidates.find(address => !taken.has(address) && !excluded.has(address) && address !== gateway)
    if (free !== undefined) return free
  }
  const taken = new Set([...(await takenIn(ctx.db, subnet.id)), ...excluded, ...(gateway ? [gateway] : [])])
  for (const pool of pools)
    for (let value = pool.first; value <= pool.last; value++) {
      const address = formatAddress(version, value)
      if (!taken.has(address)) return address
    }
  return undefined
}

const randomBelow = (ctx: Ctx, limit: bigint) => BigInt(Math.floor(ctx.ids.random() * Number(limit)))

function nth(pools: Range[], n: bigint): bigint {
  let left = n
  for (const pool of pools) {
    const size = sizeOf(pool)
    if (left < size) return pool.first + left
    left -= size
  }
  return pools.at(-1)!.last
}

/** A fixed IP that a client wrote, or the error of one that is malformed. */
export function checkRequests(requests: AddressRequest[]): void {
  const seen = new Set<string>()
  for (const { ip_address } of requests) {
    if (ip_address === undefined) continue
    const normal = normalAddress(ip_address)
    if (normal === undefined) throw invalidInput(`'${ip_address}' is not a valid IP address`)
    if (seen.has(normal)) throw badResource('port', `Duplicate IP address '${ip_address}'`)
    seen.add(normal)
  }
}
