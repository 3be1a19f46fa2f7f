/** How many addresses each network has, and how many of them are taken. */
import type { Ctx } from '#kernel/context.ts'
import { operation } from '#kernel/operation.ts'
import { rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { parseRange, sizeOf } from '../addresses.ts'
import { networkNotFound } from '../errors.ts'
import { type NetworkRow, networkRows } from '../networks/store.ts'
import { admin } from '../policy.ts'
import { grouped, takenCounts } from '../ports/store.ts'
import { type SubnetRow, subnetsOf } from '../subnets/store.ts'

const get = rule('get_network_ip_availability', admin)
export const ipAvailabilityRules = [get]

const amounts = { used_ips: Type.Integer(), total_ips: Type.Number() }
const availability = Type.Object({
  network_id: Type.String(),
  network_name: Type.String(),
  project_id: Type.String(),
  tenant_id: Type.String(),
  subnet_ip_availability: Type.Array(
    Type.Object({
      subnet_id: Type.String(),
      subnet_name: Type.String(),
      cidr: Type.String(),
      ip_version: Type.Integer(),
      ...amounts,
    }),
  ),
  ...amounts,
})

type Words = Record<string, string | string[]>

async function view(ctx: Ctx, networks: NetworkRow[], versions: string[] | undefined) {
  const ids = networks.map(network => network.id)
  const found = (await subnetsOf(ctx.db, ids)).filter(s => !versions || versions.includes(String(s.ip_version)))
  const subnets = grouped(ids, found, subnet => subnet.network_id)
  const taken = await takenCounts(ctx.db, ids)
  return networks
    .filter(network => !versions || subnets.get(network.id)!.length > 0)
    .map(network => {
      const subnet_ip_availability = subnets.get(network.id)!.map(subnet => ofSubnet(subnet, taken))
      return {
        network_id: network.id,
        network_name: network.name,
        project_id: network.project_id,
        tenant_id: network.project_id,
        subnet_ip_availability,
        used_ips: sum(subnet_ip_availability.map(subnet => subnet.used_ips)),
        total_ips: sum(subnet_ip_availability.map(subnet => subnet.total_ips)),
      }
    })
}

const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)

const ofSubnet = ({ id, name, cidr, ip_version, allocation_pools }: SubnetRow, taken: Map<string, number>) => ({
  subnet_id: id,
  subnet_name: name,
  cidr,
  ip_version,
  used_ips: taken.get(id) ?? 0,
  total_ips: sum(allocation_pools.map(pool => Number(sizeOf(parseRange(pool)!)))),
})

const list = operation({
  id: 'network.network_ip_availabilities.list',
  method: 'GET',
  path: '/v2.0/network-ip-availabilities',
  summary: 'List the use of addresses of networks',
  policy: 'authenticated',
  response: Type.Object({ network_ip_availabilities: Type.Array(availability) }),
  async handle(ctx, { query }) {
    if (!ctx.can(get)) return { network_ip_availabilities: [] }
    const { network_id, network_name, project_id, tenant_id, ip_version } = query as Words
    const listed = (word: string | string[] | undefined) => (word === undefined ? undefined : [word].flat())
    const networks = await networkRows.list(
      ctx.db,
      { id: listed(network_id), name: listed(network_name), project_id: listed(project_id ?? tenant_id) },
      { orderBy: [{ column: 'id', direction: 'asc' }] },
    )
    return { network_ip_availabilities: await view(ctx, networks, listed(ip_version)) }
  },
})

const show = operation({
  id: 'network.network_ip_availabilities.show',
  method: 'GET',
  path: '/v2.0/network-ip-availabilities/{network_id}',
  summary: 'Show the use of addresses of a network',
  policy: get,
  response: Type.Object({ network_ip_availability: availability }),
  async handle(ctx, { params }) {
    const network = await networkRows.find(ctx.db, { id: params.network_id })
    if (!network) throw networkNotFound(params.network_id)
    const [network_ip_availability] = await view(ctx, [network], undefined)
    return { network_ip_availability: network_ip_availability! }
  },
})

export const ipAvailabilityOperations = [list, show]
