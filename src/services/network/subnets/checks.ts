/** What a subnet must be: its range, gateway, pools, routes and IPv6 modes, and how they go together. Pure. */
import { BadRequest, Conflict } from '#kernel/errors.ts'
import {
  type Cidr,
  contains,
  formatCidr,
  formatRange,
  normalAddress,
  overlaps,
  parseAddress,
  parseCidr,
  parseRange,
  type Range,
  usable,
  without,
} from '../addresses.ts'
import { badResource, invalidInput } from '../errors.ts'
import type { SubnetRow } from './store.ts'

export const maxNameservers = 5
export const maxRoutes = 20

type Pool = SubnetRow['allocation_pools'][number]
const shown = (pool: Pool) => `${pool.start}-${pool.end}`

/** The range of a new subnet. */
export function cidrOf(text: string | null | undefined, version: number | undefined): Cidr {
  if (text === null || text === undefined)
    throw badResource('subnets', 'a subnetpool must be specified in the absence of a cidr')
  const cidr = parseCidr(text)!
  if (version !== undefined && cidr.version !== version)
    throw invalidInput(`cidr '${text}' does not match the ip_version '${version}'`)
  return cidr
}

/** Why a text is no range as clients must write it; undefined when it is one. */
export function cidrProblem(text: unknown): string | undefined {
  const cidr = typeof text === 'string' && text.includes('/') ? parseCidr(text) : undefined
  if (!cidr) return `'${text}' is not a valid IP subnet`
  const canonical = formatCidr(cidr)
  const [host] = (text as string).split('/')
  return parseAddress(host!)!.value === cidr.first
    ? undefined
    : `'${text}' isn't a recognized IP subnet cidr, '${canonical}' is recommended`
}

export function checkOverlap(networkId: string, cidr: Cidr, others: SubnetRow[]): void {
  if (others.some(other => overlaps(parseCidr(other.cidr)!, cidr)))
    throw invalidInput(
      `Requested subnet with cidr: ${formatCidr(cidr)} for network: ${networkId} overlaps with another subnet`,
    )
}

/** The subnets of one version on a network come from the same pool, or from none. */
export function checkOnePool(poolId: string | null, version: number, others: SubnetRow[]): void {
  if (others.some(other => other.ip_version === version && other.subnetpool_id !== poolId))
    throw new BadRequest('Subnets hosted on the same network must be allocated from the same subnet pool.', {
      type: 'NetworkSubnetPoolAffinityError',
    })
}

/** The gateway: as given, none, or by default the first address. */
export function gatewayOf(cidr: Cidr, wanted: string | null | undefined): string | null {
  if (wanted === null) return null
  if (wanted === undefined) return formatRange(usable(cidr)).start
  const address = parseAddress(wanted)!
  const outside =
    contains(cidr, address) && cidr.prefix < (cidr.version === 4 ? 31 : 127) && !contains(usable(cidr), address)
  if (address.version !== cidr.version || outside) throw invalidInput('Gateway is not valid on subnet')
  return normalAddress(wanted)!
}

/** Everything but the gateway. */
export function defaultPools(cidr: Cidr, gateway: string | null): Pool[] {
  const value = gateway === null ? undefined : parseAddress(gateway)!.value
  return without(usable(cidr), value).map(formatRange)
}

/** Pools as given, in normal form. */
export function poolsOf(cidr: Cidr, wanted: Pool[]): Pool[] {
  const ranges: Range[] = []
  for (const pool of wanted) {
    const range = parseRange(pool)
    if (!range || range.version !== cidr.version || range.first > range.last)
      throw new BadRequest(`The allocation pool ${shown(pool)} is not valid.`, { type: 'InvalidAllocationPool' })
    const inside = usable(cidr)
    if (range.first < inside.first || range.last > inside.last)
      throw new BadRequest(`The allocation pool ${shown(pool)} spans beyond the subnet cidr ${formatCidr(cidr)}.`, {
        type: 'OutOfBoundsAllocationPool',
      })
    const other = ranges.findIndex(one => overlaps(one, range))
    if (other >= 0)
      throw new Conflict(
        `Found overlapping allocation pools: ${shown(wanted[other]!)} ${shown(pool)} for subnet ${formatCidr(cidr)}.`,
        { type: 'OverlappingAllocationPools' },
      )
    ranges.push(range)
  }
  return ranges.map(formatRange)
}

export function checkGatewayOutsidePools(gateway: string | null, pools: Pool[]): void {
  const address = gateway === null ? undefined : parseAddress(gateway)!
  const pool = address && pools.find(one => contains(parseRange(one)!, address))
  if (pool)
    throw new Conflict(`Gateway ip ${gateway} conflicts with allocation pool ${shown(pool)}.`, {
      type: 'GatewayConflictWithAllocationPools',
    })
}

export function checkDhcp(cidr: Cidr, enabled: boolean): void {
  if (!enabled) return
  if (cidr.prefix > (cidr.version === 4 ? 30 : 126))
    throw invalidInput('Subnet has a prefix length that is incompatible with DHCP service enabled')
  const isIn = (range: string) => overlaps(cidr, parseCidr(range)!)
  if (isIn('224.0.0.0/4') || isIn('ff00::/8'))
    throw invalidInput('Multicast IP subnet is not supported if enable_dhcp is True')
  if (isIn('127.0.0.0/8') || isIn('::1/128'))
    throw invalidInput('Loopback IP subnet is not supported if enable_dhcp is True')
}

type Modes = Pick<SubnetRow, 'ipv6_address_mode' | 'ipv6_ra_mode' | 'enable_dhcp'>

export function checkModes(cidr: Cidr, { ipv6_address_mode: address, ipv6_ra_mode: ra, enable_dhcp }: Modes): void {
  if (address === null && ra === null) return
  if (cidr.version === 4)
    throw invalidInput(`${ra === null ? 'ipv6_address_mode' : 'ipv6_ra_mode'} is not valid when ip_version is 4`)
  if (!enable_dhcp)
    throw invalidInput('ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False')
  if (address !== null && ra !== null && address !== ra)
    throw invalidInput(
      `ipv6_ra_mode set to '${ra}' with ipv6_address_mode set to '${address}' is not valid. If both attributes are set, they must be the same value`,
    )
  const formed = [address, ra].some(mode => mode === 'slaac' || mode === 'dhcpv6-stateless')
  if (formed && cidr.prefix !== 64)
    throw invalidInput(
      `Invalid CIDR ${formatCidr(cidr)} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64`,
    )
}

/** Name servers and routes in normal form. */
export function checkedNameservers(subnetId: string, list: string[]): string[] {
  if (list.length > maxNameservers)
    throw new BadRequest(
      `Unable to complete operation for ${subnetId}. The number of DNS nameservers exceeds the limit ${maxNameservers}.`,
      { type: 'DNSNameServersExhausted' },
    )
  return list.map(address => normalAddress(address)!)
}

export function checkedRoutes(
  subnetId: string,
  list: SubnetRow['host_routes'],
  version: number,
): SubnetRow['host_routes'] {
  if (list.length > maxRoutes)
    throw new BadRequest(
      `Unable to complete operation for ${subnetId}. The number of host routes exceeds the limit ${maxRoutes}.`,
      { type: 'HostRoutesExhausted' },
    )
  for (const { destination, nexthop } of list)
    if (parseCidr(destination)!.version !== version || parseAddress(nexthop)!.version !== version)
      throw invalidInput(`host_routes '${destination}' does not match the ip_version '${version}'`)
  return list.map(({ destination, nexthop }) => ({
    destination: formatCidr(parseCidr(destination)!),
    nexthop: normalAddress(nexthop)!,
  }))
}
