/** The routers of a host as its data plane needs them. */
import type { Db } from '#kernel/db/database.ts'
import { parseCidr } from '../addresses.ts'
import type { RouterPortSpec, RouterSpec } from '../drivers/driver.ts'
import { type FloatingIpRow, floatingIpRows } from '../floating-ips/store.ts'
import { type AllocationRow, allocationsOf, grouped, type PortRow, portRows } from '../ports/store.ts'
import { type RouterRow, routerRows } from '../routers/store.ts'
import type { SubnetRow } from '../subnets/store.ts'

export interface HostRouters {
  networkIds: string[]
  /** Takes the subnets of the routers' networks. */
  specs(subnets: SubnetRow[]): RouterSpec[]
}

export async function hostRouters(db: Db, host: string): Promise<HostRouters> {
  const routers = await routerRows.list(db, { host }, { orderBy: [{ column: 'id', direction: 'asc' }] })
  const ids = routers.map(router => router.id)
  const ports = await portRows.list(
    db,
    { device_id: ids, device_owner: ['network:router_interface', 'network:router_gateway'] },
    { orderBy: [{ column: 'id', direction: 'asc' }] },
  )
  const addresses = await allocationsOf(
    db,
    ports.map(port => port.id),
  )
  const portsOf = grouped(ids, ports, port => port.device_id)
  const floating = grouped(ids, await floatingIpRows.list(db, { router_id: ids }), ip => ip.router_id!)
  return {
    networkIds: [...new Set(ports.map(port => port.network_id))],
    specs(subnets) {
      const known = new Map(subnets.map(subnet => [subnet.id, subnet]))
      return routers.map(router =>
        routerSpec(router, portsOf.get(router.id)!, addresses, known, floating.get(router.id)!),
      )
    },
  }
}

type Addresses = ReadonlyMap<string, AllocationRow[]>
type Subnets = ReadonlyMap<string, SubnetRow>

function routerSpec(
  router: RouterRow,
  ports: PortRow[],
  addresses: Addresses,
  subnets: Subnets,
  floating: FloatingIpRow[],
): RouterSpec {
  const gateway = ports.find(port => port.id === router.gateway_port_id)
  const interfaces = ports.filter(port => port.device_owner === 'network:router_interface')
  return {
    id: router.id,
    admin_state_up: router.admin_state_up,
    interfaces: interfaces.map(port => portSpec(port, addresses, subnets)),
    ...(gateway && {
      gateway: {
        ...portSpec(gateway, addresses, subnets),
        enable_snat: router.enable_snat,
        gateway_ips: addresses.get(gateway.id)!.flatMap(address => subnets.get(address.subnet_id)?.gateway_ip ?? []),
      },
    }),
    floating_ips: floating.flatMap(({ id, floating_ip_address: floating_ip, fixed_ip_address: fixed_ip }) =>
      fixed_ip === null ? [] : [{ id, floating_ip, fixed_ip }],
    ),
    routes: router.routes,
  }
}

const portSpec = (port: PortRow, addresses: Addresses, subnets: Subnets): RouterPortSpec => ({
  port_id: port.id,
  network_id: port.network_id,
  mac: port.mac_address,
  addresses: addresses.get(port.id)!.flatMap(({ ip_address, subnet_id }) => {
    const subnet = subnets.get(subnet_id)
    return subnet ? [`${ip_address}/${parseCidr(subnet.cidr)!.prefix}`] : []
  }),
})
