/** A router's way outside: its port on an external network. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import { type Rule, rule } from '#kernel/policy/rule.ts'
import { disallowed } from '#kernel/resource-access.ts'
import { normalAddress, overlaps, parseCidr } from '../addresses.ts'
import { badResource, networkNotFound } from '../errors.ts'
import { floatingIpRows } from '../floating-ips/store.ts'
import { accessTo, noAccess } from '../networks/steps.ts'
import { type NetworkRow, networkRows } from '../networks/store.ts'
import { admin, projectMember } from '../policy.ts'
import { type AddressRequest, makePort, removePorts, setAddresses } from '../ports/steps.ts'
import { allocationsOf, portRows, routerPortsOf } from '../ports/store.ts'
import { type SubnetRow, subnetRows, subnetsOf } from '../subnets/store.ts'
import type { RouterRow } from './store.ts'

export interface GatewayInfo {
  network_id: string
  enable_snat?: boolean
  external_fixed_ips?: AddressRequest[]
}

/** Rules on members of the gateway. */
export const gatewayRules = {
  createSnat: rule('create_router:external_gateway_info:enable_snat', admin),
  createIps: rule('create_router:external_gateway_info:external_fixed_ips', admin),
  createNetwork: rule('create_router:external_gateway_info:network_id', `${admin} or ${projectMember}`),
  updateSnat: rule('update_router:external_gateway_info:enable_snat', admin),
  updateIps: rule('update_router:external_gateway_info:external_fixed_ips', admin),
  updateNetwork: rule('update_router:external_gateway_info:network_id', `${admin} or ${projectMember}`),
} satisfies Record<string, Rule>

export function enforceGateway(ctx: Ctx, verb: 'create' | 'update', projectId: string, info: GatewayInfo): void {
  const target = { project_id: projectId }
  const guards = [
    gatewayRules[`${verb}Network`],
    ...(info.enable_snat === undefined ? [] : [gatewayRules[`${verb}Snat`]]),
    ...(info.external_fixed_ips === undefined ? [] : [gatewayRules[`${verb}Ips`]]),
  ]
  for (const guard of guards) if (!ctx.can(guard, target)) throw disallowed(guard.name)
}

type GatewayColumns = Pick<RouterRow, 'gateway_port_id' | 'gateway_network_id' | 'enable_snat'>

/** Gives the router this gateway, or none, and returns the columns that say so. */
export async function setGateway(ctx: Ctx, router: RouterRow, info: GatewayInfo | null): Promise<GatewayColumns> {
  if (info === null) {
    await dropGateway(ctx, router)
    return { gateway_port_id: null, gateway_network_id: null, enable_snat: true }
  }
  const enable_snat = info.enable_snat ?? true
  const network = await externalNetwork(ctx, info.network_id)
  const ips = info.external_fixed_ips?.length ? info.external_fixed_ips : undefined
  await checkExternalIps(ctx, network, ips ?? [])
  if (router.gateway_network_id === network.id) {
    const port = await portRows.find(ctx.db, { id: router.gateway_port_id! })
    if (port && ips) await setAddresses(ctx, port, ips)
    return { gateway_port_id: router.gateway_port_id, gateway_network_id: network.id, enable_snat }
  }
  await dropGateway(ctx, router)
  await checkOverlaps(ctx, { ...router, gateway_network_id: null }, await subnetsOf(ctx.db, [network.id]))
  const port = await makePort(ctx, network, {
    project_id: '',
    device_owner: 'network:router_gateway',
    device_id: router.id,
    ...(ips && { fixed_ips: ips }),
    row: { port_security_enabled: false },
  })
  return { gateway_port_id: port.id, gateway_network_id: network.id, enable_snat }
}

async function externalNetwork(ctx: Ctx, id: string): Promise<NetworkRow> {
  const network = await networkRows.find(ctx.db, { id })
  const { seen, external } = (network && (await accessTo(ctx, [network])).get(id)) ?? noAccess
  if (!network || !seen) throw networkNotFound(id)
  if (!external) throw badResource('router', `Network ${id} is not an external network`)
  return network
}

async function checkExternalIps(ctx: Ctx, network: NetworkRow, ips: AddressRequest[]): Promise<void> {
  const subnets = await subnetsOf(ctx.db, [network.id])
  for (const { ip_address } of ips)
    if (ip_address !== undefined && subnets.some(subnet => subnet.gateway_ip === normalAddress(ip_address)))
      throw badResource('router', `External IP ${ip_address} is the same as the gateway IP`)
}

async function dropGateway(ctx: Ctx, router: RouterRow): Promise<void> {
  if (router.gateway_port_id === null) return
  if (await floatingIpRows.find(ctx.db, { router_id: router.id }))
    throw new Conflict(
      `Gateway cannot be updated for router ${router.id}, since a gateway to external network ${router.gateway_network_id} is required by one or more floating IPs.`,
      { type: 'RouterExternalGatewayInUseByFloatingIp' },
    )
  await removePorts(ctx, await portRows.list(ctx.db, { id: router.gateway_port_id }))
}

/** A router cannot tell networks apart whose ranges meet. */
export async function checkOverlaps(ctx: Ctx, router: RouterRow, added: SubnetRow[]): Promise<void> {
  const ports = await routerPortsOf(ctx.db, router.id)
  const addresses = await allocationsOf(
    ctx.db,
    ports.map(port => port.id),
  )
  const ids = new Set([...addresses.values()].flat().map(address => address.subnet_id))
  // Outside, the whole network is reached, not only the subnet that the gateway has its address of.
  const outside = router.gateway_network_id === null ? [] : await subnetsOf(ctx.db, [router.gateway_network_id])
  const present = await subnetRows.list(ctx.db, { id: [...ids, ...outside.map(subnet => subnet.id)] })
  for (const subnet of added)
    for (const other of present) {
      if (subnet.id === other.id && ids.has(other.id))
        throw badResource('router', `Router already has a port on subnet ${subnet.id}`)
      if (overlaps(parseCidr(subnet.cidr)!, parseCidr(other.cidr)!))
        throw badResource(
          'router',
          `Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${other.cidr} of subnet ${other.id}`,
        )
    }
}
