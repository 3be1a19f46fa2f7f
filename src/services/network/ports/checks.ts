/** What clients may write in the parts of a port: DHCP options, address pairs, security and groups. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { seesAll } from '#kernel/resource-access.ts'
import { formatCidr, normalAddress, overlaps, parseCidr } from '../addresses.ts'
import { badResource, invalidInput, securityGroupNotFound } from '../errors.ts'
import { floatingIpRows } from '../floating-ips/store.ts'
import { routerRows } from '../routers/store.ts'
import { groupRows } from '../security-groups/store.ts'
import type { AddressRequest } from './allocation.ts'
import type { PortRow } from './store.ts'

const maxPairs = 10

type Pair = { ip_address: string; mac_address?: string }

/** Address pairs in normal form; a pair without a MAC has the port's. */
export function pairsOf(pairs: Pair[], portMac: string): PortRow['allowed_address_pairs'] {
  if (pairs.length > maxPairs)
    throw new BadRequest(`The number of allowed address pair exceeds the maximum ${maxPairs}.`, {
      type: 'AllowedAddressPairExhausted',
    })
  const seen = new Set<string>()
  return pairs.map(({ ip_address, mac_address }) => {
    const range = parseCidr(ip_address)!
    for (const multicast of ['224.0.0.0/4', 'ff00::/8'])
      if (range.prefix > 0 && overlaps(range, parseCidr(multicast)!))
        throw badResource('port', `Allowed address pairs cannot be multicast: ${ip_address}`)
    const pair = {
      ip_address: ip_address.includes('/') ? formatCidr(range) : normalAddress(ip_address)!,
      mac_address: (mac_address ?? portMac).toLowerCase(),
    }
    const key = `${pair.mac_address} ${pair.ip_address}`
    if (seen.has(key))
      throw new BadRequest(
        `Request contains duplicate address pair: mac_address ${pair.mac_address} ip_address ${pair.ip_address}.`,
        { type: 'DuplicateAddressPairInRequest' },
      )
    seen.add(key)
    return pair
  })
}

type Option = { opt_name: string; opt_value: string | null; ip_version?: 4 | 6 }

/** DHCP options after a change: one without a value is taken away. */
export function optionsOf(had: PortRow['extra_dhcp_opts'], sent: Option[]): PortRow['extra_dhcp_opts'] {
  const options = new Map(had.map(option => [`${option.opt_name} ${option.ip_version}`, option]))
  for (const { opt_name, opt_value, ip_version = 4 } of sent) {
    if (opt_name.trim() === '') throw badResource('port', 'opt_name of extra_dhcp_opts must not be blank')
    const key = `${opt_name} ${ip_version}`
    if (opt_value === null) options.delete(key)
    else options.set(key, { opt_name, opt_value, ip_version })
  }
  return [...options.values()]
}

/** The groups must be there, and the caller's own unless it sees all. */
export async function checkGroups(ctx: Ctx, ids: string[]): Promise<void> {
  if (ids.length === 0) return
  const found = await groupRows.list(ctx.db, { id: ids })
  for (const id of ids) {
    const group = found.find(one => one.id === id)
    if (!group || (group.project_id !== ctx.identity.project_id && !seesAll(ctx))) throw securityGroupNotFound(id)
  }
}

interface Security {
  port_security_enabled: boolean
  groups: string[]
  pairs: PortRow['allowed_address_pairs']
  addresses: number
  /** Whether this request sets the groups. */
  setsGroups: boolean
}

export function checkSecurity({ port_security_enabled, groups, pairs, addresses, setsGroups }: Security): void {
  if (groups.length > 0 && (!port_security_enabled || addresses === 0)) {
    if (setsGroups)
      throw new BadRequest(
        'Port security must be enabled and port must have an IP address in order to use security groups.',
        { type: 'PortSecurityAndIPRequiredForSecurityGroups' },
      )
    if (!port_security_enabled)
      throw new Conflict(
        'Port has security group associated. Cannot disable port security or ip address until security group is removed.',
        { type: 'PortSecurityPortHasSecurityGroup' },
      )
  }
  if (pairs.length > 0 && !port_security_enabled)
    throw new Conflict('Port Security must be enabled in order to have allowed address pairs on a port.', {
      type: 'AddressPairAndPortSecurityRequired',
    })
}

/** A port must not pretend to be an interface of a router that is not the caller's. */
export async function checkDevice(ctx: Ctx, deviceOwner: string, deviceId: string): Promise<void> {
  if (!deviceOwner.startsWith('network:router_') || deviceId === '' || seesAll(ctx)) return
  const router = await routerRows.find(ctx.db, { id: deviceId })
  if (router && router.project_id !== ctx.identity.project_id)
    throw new Conflict(
      `The following device_id ${deviceId} is not owned by your project or matches another project router.`,
      { type: 'DeviceIDNotOwnedByTenant' },
    )
}

/** Whether the port holds something up that is removed by other means: a router's interface, a floating IP. */
export async function isPartOf(ctx: Ctx, { device_owner, device_id }: PortRow): Promise<boolean> {
  if (device_owner === 'network:floatingip') return (await floatingIpRows.find(ctx.db, { id: device_id })) !== undefined
  return device_owner.startsWith('network:router_') && (await routerRows.find(ctx.db, { id: device_id })) !== undefined
}

/** An address that a floating IP leads to is kept until the floating IP is disassociated. */
export async function checkFloating(ctx: Ctx, portId: string, wanted: AddressRequest[]): Promise<void> {
  const floating = await floatingIpRows.list(ctx.db, { fixed_port_id: portId })
  const keeps = (address: string | null) =>
    wanted.some(({ ip_address }) => ip_address !== undefined && normalAddress(ip_address) === address)
  if (!floating.every(ip => keeps(ip.fixed_ip_address)))
    throw badResource(
      'port',
      `Cannot update the fixed_ips of the port ${portId}, because its original fixed_ip has been associated to a floating ip`,
    )
}

const maxFixedIps = 5

export function checkFixedIpCount(count: number): void {
  if (count > maxFixedIps) throw invalidInput('Exceeded maximum amount of fixed ips per port')
}
