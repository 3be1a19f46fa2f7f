/** Networks and floating IPs in compute's API, up to 2.35: they are the network service's. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { anyone, projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { isUuid } from '#kernel/schema/validate.ts'
import type { ComputeFloatingIp } from '../../network/contract.ts'
import { body, check, isAdmin } from '../dialect.ts'
import { proxied } from './network-proxy.ts'

interface Network {
  id: string
  name: string
}

/** Members that only networks of compute's own had; they stay as null. */
const forAll = ['cidr', 'netmask', 'gateway', 'broadcast', 'dns1', 'dns2', 'cidr_v6', 'gateway_v6', 'netmask_v6']
const forAdmins = [
  ...['created_at', 'updated_at', 'deleted_at', 'deleted', 'injected', 'bridge', 'vlan', 'vpn_public_address'],
  ...['vpn_public_port', 'vpn_private_address', 'dhcp_start', 'project_id', 'host', 'bridge_interface', 'multi_host'],
  ...['priority', 'rxtx_base', 'mtu', 'dhcp_server', 'enable_dhcp', 'share_address'],
]

const network = Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]))

function fullView(ctx: Ctx, { id, name }: Network) {
  const empty = [...forAll, ...(isAdmin(ctx) ? forAdmins : [])]
  return { id, label: name, ...Object.fromEntries(empty.map(field => [field, null])) }
}

/** The text None is what upstream always answered here. */
const shortView = (_ctx: Ctx, { id, name }: Network) => ({ id, label: name, cidr: 'None' })

function networkOperations(collection: string, view: (ctx: Ctx, network: Network) => Record<string, string | null>) {
  const path = `/v2.1/${collection}`
  const noun = collection === 'os-networks' ? 'networks' : 'tenant_networks'
  const policy = (verb: string) => rule(`os_compute_api:${collection}:${verb}`, projectReaderOrAdmin)
  return [
    operation({
      id: `compute.${noun}.list`,
      method: 'GET',
      path,
      summary: 'List networks',
      versions: proxied,
      policy: policy('list'),
      response: body('networks', Type.Array(network)),
      handle: async ctx => ({
        networks: (await ctx.services.network.computeApi.networksSeen(ctx)).map(one => view(ctx, one)),
      }),
    }),
    operation({
      id: `compute.${noun}.show`,
      method: 'GET',
      path: `${path}/{network_id}`,
      summary: 'Show a network',
      versions: proxied,
      policy: policy('show'),
      response: body('network', network),
      async handle(ctx, { params: { network_id } }) {
        const found = await ctx.services.network.computeApi.networkSeen(ctx, network_id)
        if (!found) throw new NotFound('Network not found')
        return { network: view(ctx, found) }
      },
    }),
  ]
}

const floatingIp = Type.Object({
  id: Type.String(),
  ip: Type.String(),
  fixed_ip: Type.Union([Type.String(), Type.Null()]),
  instance_id: Type.Union([Type.String(), Type.Null()]),
  pool: Type.String(),
})
const path = '/v2.1/os-floating-ips'
const reads = (verb: string) => rule(`os_compute_api:os-floating-ips:${verb}`, projectReaderOrAdmin)
const changes = (verb: string) => rule(`os_compute_api:os-floating-ips:${verb}`, projectMemberOrAdmin)

async function ipOf(ctx: Ctx, id: string): Promise<ComputeFloatingIp> {
  if (!isUuid(id)) throw new BadRequest(`Invalid ID received ${id}.`)
  const [found] = await ctx.services.network.computeApi.floatingIps(ctx, id)
  if (!found) throw new NotFound(`Floating IP not found for ID ${id}`)
  return found
}

const wishedPool = Type.Union([
  Type.Null(),
  Type.Object({ pool: Type.Optional(Type.Union([Type.String(), Type.Null()])) }),
])

const pools = operation({
  id: 'compute.floating_ip_pools.list',
  method: 'GET',
  path: '/v2.1/os-floating-ip-pools',
  summary: 'List the networks that floating IPs come from',
  versions: proxied,
  policy: rule('os_compute_api:os-floating-ip-pools', anyone),
  response: body('floating_ip_pools', Type.Array(Type.Object({ name: Type.String() }))),
  handle: async ctx => ({
    floating_ip_pools: (await ctx.services.network.computeApi.floatingIpPools(ctx)).map(({ id, name }) => ({
      name: name || id,
    })),
  }),
})

const floatingIpOperations = [
  operation({
    id: 'compute.floating_ips.list',
    method: 'GET',
    path,
    summary: "List a project's floating IPs",
    versions: proxied,
    policy: reads('list'),
    response: body('floating_ips', Type.Array(floatingIp)),
    handle: async ctx => ({ floating_ips: await ctx.services.network.computeApi.floatingIps(ctx) }),
  }),
  operation({
    id: 'compute.floating_ips.show',
    method: 'GET',
    path: `${path}/{floating_ip_id}`,
    summary: 'Show a floating IP',
    versions: proxied,
    policy: reads('show'),
    response: body('floating_ip', floatingIp),
    handle: async (ctx, { params }) => ({ floating_ip: await ipOf(ctx, params.floating_ip_id) }),
  }),
  operation({
    id: 'compute.floating_ips.create',
    method: 'POST',
    path,
    summary: 'Allocate a floating IP',
    versions: proxied,
    policy: changes('create'),
    takes: wishedPool,
    response: body('floating_ip', floatingIp),
    async handle(ctx, { body: sent }) {
      // The body may be missing altogether.
      check(wishedPool, sent ?? null)
      const pool = (sent as Static<typeof wishedPool> | undefined)?.pool ?? undefined
      return { floating_ip: await ctx.services.network.computeApi.allocateFloatingIp(ctx, pool) }
    },
  }),
  operation({
    id: 'compute.floating_ips.delete',
    method: 'DELETE',
    path: `${path}/{floating_ip_id}`,
    summary: 'Give a floating IP back',
    versions: proxied,
    policy: changes('delete'),
    async handle(ctx, { params }) {
      const { id } = await ipOf(ctx, params.floating_ip_id)
      await ctx.services.network.computeApi.releaseFloatingIp(ctx, id)
      return reply(undefined, { status: 202 })
    },
  }),
]

export const networkOperationsOfCompute: Operation[] = [
  ...networkOperations('os-networks', fullView),
  ...networkOperations('os-tenant-networks', shortView),
  pools,
  ...floatingIpOperations,
]
