/** A server's network as its guest is told of it: as a document at its start, and by its agent when it is to be as it was. */
import { isIPv4 } from 'node:net'
import type { Ctx } from '#kernel/context.ts'
import { parseCidr } from './addresses.ts'
import { networkRows } from './networks/store.ts'
import { allocationsOf, dhcpDevice, type PortRow, portRows, serverPortRows } from './ports/store.ts'
import { type SubnetRow, subnetRows } from './subnets/store.ts'

interface Nic {
  port: PortRow
  mtu: number
  addresses: { address: string; subnet: SubnetRow }[]
}

/** In the order of the ports. */
async function nicsOf(ctx: Ctx, serverId: string): Promise<Nic[]> {
  const ports = await serverPortRows(ctx.db, [serverId])
  const allocated = await allocationsOf(
    ctx.db,
    ports.map(port => port.id),
  )
  const networks = await networkRows.list(ctx.db, { id: ports.map(port => port.network_id) })
  const mtus = new Map(networks.map(network => [network.id, network.mtu]))
  const subnetIds = [...allocated.values()].flat().map(address => address.subnet_id)
  const subnets = new Map((await subnetRows.list(ctx.db, { id: subnetIds })).map(subnet => [subnet.id, subnet]))
  return ports.map(port => ({
    port,
    mtu: mtus.get(port.network_id)!,
    addresses: allocated
      .get(port.id)!
      .map(({ subnet_id, ip_address }) => ({ address: ip_address, subnet: subnets.get(subnet_id)! })),
  }))
}

/** `network_data.json`, as cloud-init reads it. */
export async function networkData(ctx: Ctx, serverId: string): Promise<Record<string, unknown>> {
  const nics = await nicsOf(ctx, serverId)
  const linkOf = ({ id }: PortRow) => `tap${id.slice(0, 11)}`
  const links = nics.map(({ port, mtu }) => ({
    id: linkOf(port),
    vif_id: port.id,
    type: 'phy',
    mtu,
    ethernet_mac_address: port.mac_address,
  }))
  const networks = nics
    .flatMap(({ port, addresses }) => addresses.map(each => ({ port, ...each })))
    .map(({ port, address, subnet }, n) => guestNetwork(`network${n}`, linkOf(port), port.network_id, address, subnet))
  const dns = new Set(nics.flatMap(({ addresses }) => addresses.flatMap(({ subnet }) => subnet.dns_nameservers)))
  return { links, networks, services: [...dns].map(address => ({ type: 'dns', address })) }
}

/** What each NIC of a server is to have, whether the guest asks for it by DHCP or not. */
export async function nicSettings(ctx: Ctx, serverId: string) {
  const nics = await nicsOf(ctx, serverId)
  const served = await dhcpAddresses(
    ctx,
    nics.map(({ port }) => port.network_id),
  )
  return nics.map(({ port, mtu, addresses }) => ({
    mac: port.mac_address,
    mtu,
    addresses: addresses.map(({ address, subnet }) => ({ address, prefix: parseCidr(subnet.cidr)!.prefix })),
    routes: addresses.flatMap(({ subnet }) => [
      ...(served.has(subnet.id) ? [{ to: '169.254.169.254/32', via: served.get(subnet.id)! }] : []),
      ...subnet.host_routes.map(({ destination, nexthop }) => ({ to: destination, via: nexthop })),
      ...(subnet.gateway_ip === null ? [] : [{ to: 'default', via: subnet.gateway_ip }]),
    ]),
  }))
}

/** Where the metadata service is reached: at the address of DHCP in each subnet of IPv4 that has it. */
async function dhcpAddresses(ctx: Ctx, networkIds: string[]): Promise<Map<string, string>> {
  const ports = await portRows.list(ctx.db, { device_id: networkIds.map(dhcpDevice), device_owner: 'network:dhcp' })
  const allocated = await allocationsOf(
    ctx.db,
    ports.map(port => port.id),
  )
  const found = [...allocated.values()].flat().filter(({ ip_address }) => isIPv4(ip_address))
  return new Map(found.map(({ subnet_id, ip_address }) => [subnet_id, ip_address]))
}

function guestNetwork(id: string, link: string, networkId: string, address: string, subnet: SubnetRow) {
  const common = { id, link, network_id: networkId }
  const mode = subnet.ipv6_address_mode
  if (subnet.enable_dhcp && subnet.ip_version === 4) return { ...common, type: 'ipv4_dhcp' }
  if (subnet.enable_dhcp && mode !== null) return { ...common, type: mode === 'slaac' ? 'ipv6_slaac' : `ipv6_${mode}` }
  const { version, prefix } = parseCidr(subnet.cidr)!
  const netmask = version === 4 ? dotted(prefix) : groupsMask(prefix)
  const anywhere = version === 4 ? { network: '0.0.0.0', netmask: '0.0.0.0' } : { network: '::', netmask: '::' }
  return {
    ...common,
    type: `ipv${version}`,
    ip_address: address,
    netmask,
    routes: [
      ...(subnet.gateway_ip === null ? [] : [{ ...anywhere, gateway: subnet.gateway_ip }]),
      ...subnet.host_routes.map(({ destination, nexthop }) => {
        const range = parseCidr(destination)!
        return {
          network: destination.split('/')[0],
          netmask: range.version === 4 ? dotted(range.prefix) : groupsMask(range.prefix),
          gateway: nexthop,
        }
      }),
    ],
    services: subnet.dns_nameservers.map(server => ({ type: 'dns', address: server })),
  }
}

const bitsOf = (prefix: number, width: number) => ((1n << BigInt(prefix)) - 1n) << BigInt(width - prefix)
const dotted = (prefix: number) => [24n, 16n, 8n, 0n].map(shift => (bitsOf(prefix, 32) >> shift) & 255n).join('.')
const groupsMask = (prefix: number) =>
  Array.from({ length: 8 }, (_, i) => ((bitsOf(prefix, 128) >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':')
