/** Subnets. */
import type { Ctx } from '#kernel/context.ts'
import { archive } from '#kernel/db/archive.ts'
import { Conflict } from '#kernel/errors.ts'
import { type Resource, resource } from '#kernel/resource.ts'
import { badRequest, boolean, choice, id, nullToList, text, toInteger } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { columnsOf, standardMembers, touch } from '#kernel/standard-row.ts'
import { formatCidr, parseCidr } from '../addresses.ts'
import { badResource, networkNotFound, subnetInUse } from '../errors.ts'
import { networksAround } from '../networks/steps.ts'
import { networkRows, ofOpenNetwork, ofOwnNetwork } from '../networks/store.ts'
import { admin, netOwnerMember, netOwnerReader, projectReader } from '../policy.ts'
import { addFormedAddresses, lockAddresses } from '../ports/steps.ts'
import { allocationRows, portRows } from '../ports/store.ts'
import { reserve } from '../quotas/quota.ts'
import { changed } from '../revision.ts'
import { defaultPool, type Taking, takeRange } from '../subnet-pools/steps.ts'
import type { SubnetPoolRow } from '../subnet-pools/store.ts'
import { subnetPools } from '../subnet-pools/subnet-pool.ts'
import * as checks from './checks.ts'
import { keepDhcpPort } from './dhcp.ts'
import { type SubnetRow, selfAddressed, subnetRows, subnetsOf } from './store.ts'

const nullable = (schema: ReturnType<typeof Type.String>) => Type.Union([schema, Type.Null()])
const address = Type.String({ format: 'ip' })
const mode = Type.Union([choice(['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless']), Type.Null()])
const route = Type.Object(
  { destination: Type.String({ format: 'cidr' }), nexthop: address },
  { additionalProperties: false },
)
const pool = Type.Object({ start: address, end: address }, { additionalProperties: false })

function readCidr(value: unknown): unknown {
  const problem = value === null ? undefined : checks.cidrProblem(value)
  if (problem) throw badRequest(`Invalid input for cidr. Reason: ${problem}.`)
  return value === null ? null : formatCidr(parseCidr(value as string)!)
}

export const subnets: Resource<SubnetRow> = resource<SubnetRow>({
  path: '/v2.0/subnets',
  collection: 'subnets',
  member: 'subnet',
  notFound: { type: 'SubnetNotFound', message: id => `Subnet ${id} could not be found.` },
  store: subnetRows,
  policy: {
    create: `${admin} or ${netOwnerMember}`,
    show: `${admin} or role:service or ${projectReader} or rule:shared or rule:external or ${netOwnerReader}`,
    update: `${admin} or ${netOwnerMember}`,
    delete: `${admin} or ${netOwnerMember}`,
  },
  visible: (ctx, eb) =>
    eb.or([eb('project_id', '=', ctx.identity.project_id ?? ''), ofOwnNetwork(ctx), ofOpenNetwork(ctx)]),
  attributes: {
    network_id: id({ create: true, required: true }),
    name: text(255, { create: true, update: true, default: '' }),
    ip_version: { schema: choice([4, 6]), convert: toInteger, create: true, required: true },
    cidr: { schema: nullable(Type.String({ maxLength: 64 })), convert: readCidr, create: true },
    gateway_ip: { schema: nullable(address), create: true, update: true },
    enable_dhcp: boolean({ create: true, update: true, default: true }),
    dns_nameservers: {
      schema: Type.Array(address, { uniqueItems: true }),
      convert: nullToList,
      create: true,
      update: true,
      default: [],
    },
    host_routes: {
      schema: Type.Array(route, { uniqueItems: true }),
      convert: nullToList,
      create: true,
      update: true,
      default: [],
    },
    allocation_pools: { schema: Type.Array(pool, { maxItems: 100 }), convert: nullToList, create: true, update: true },
    ipv6_address_mode: { schema: mode, create: true, default: null },
    ipv6_ra_mode: { schema: mode, create: true, default: null },
    service_types: {
      schema: Type.Array(Type.String({ pattern: '^(network|compute):', maxLength: 255 }), { uniqueItems: true }),
      create: admin,
      update: admin,
      default: [],
    },
    subnetpool_id: { schema: nullable(Type.String({ maxLength: 36 })), create: true, default: null },
    use_default_subnetpool: boolean({ create: true, default: false, visible: false }),
    prefixlen: { schema: Type.Integer({ minimum: 0 }), convert: toInteger, create: true, visible: false },
    segment_id: { schema: Type.Null(), create: admin, update: admin, default: null, column: false },
    dns_publish_fixed_ip: boolean({ create: true, update: true, default: false }),
    'router:external': boolean({ column: false }),
  },
  hooks: {
    target: ownersOf,
    create: createSubnet,
    update: updateSubnet,
    remove: removeSubnet,
    view: async (_ctx, rows, targets) =>
      rows.map((_, i) => ({ segment_id: null, 'router:external': targets[i]!['network:external'] })),
  },
})

/** What policy may name of the network; for new subnets the network must be one that the caller sees. */
async function ownersOf(ctx: Ctx, items: readonly object[]): Promise<Record<string, unknown>[]> {
  const rows = items as SubnetRow[]
  const of = await networksAround(ctx, rows)
  return rows.map(row => {
    const network = of.get(row.network_id)
    if (!network || (row.id === undefined && !network.access.seen)) throw networkNotFound(row.network_id)
    const { shared, external } = network.access
    const facts = { 'network:project_id': network.project_id, 'network:external': network.external }
    return { ...facts, shared, 'router:external': external }
  })
}

interface NewSubnet extends SubnetRow {
  use_default_subnetpool: boolean
  prefixlen?: number
}

/** The pool that the range comes from; undefined when the user names the range alone. */
async function poolOf(ctx: Ctx, given: Partial<NewSubnet>): Promise<SubnetPoolRow | undefined> {
  const { subnetpool_id, use_default_subnetpool, ip_version } = given
  if (use_default_subnetpool && subnetpool_id)
    throw badResource('subnets', 'subnetpool_id and use_default_subnetpool cannot both be specified')
  if (subnetpool_id) return subnetPools.load(ctx, subnetpool_id)
  return use_default_subnetpool ? defaultPool(ctx, ip_version!) : undefined
}

const takingOf = (given: Partial<NewSubnet>): Taking => ({
  project_id: given.project_id!,
  ip_version: given.ip_version!,
  cidr: given.cidr ? parseCidr(given.cidr) : undefined,
  prefixlen: given.prefixlen,
})

async function createSubnet(ctx: Ctx, values: Record<string, unknown>): Promise<SubnetRow> {
  const given = values as unknown as Partial<NewSubnet> & { network_id: string }
  await reserve(ctx, values.project_id as string, 'subnet')
  const pool = await poolOf(ctx, given)
  const cidr = pool ? await takeRange(ctx, pool, takingOf(given)) : checks.cidrOf(given.cidr, given.ip_version)
  await lockAddresses(ctx, [given.network_id])
  const network = await networkRows.find(ctx.db, { id: given.network_id })
  if (!network) throw networkNotFound(given.network_id)
  const others = await subnetsOf(ctx.db, [network.id])
  checks.checkOverlap(network.id, cidr, others)
  checks.checkOnePool(pool?.id ?? null, cidr.version, others)
  const gateway_ip = checks.gatewayOf(cidr, given.gateway_ip)
  const pools = given.allocation_pools
  const { use_default_subnetpool: _default, prefixlen: _length, ...columns } = values
  const members = standardMembers(ctx, values)
  const subnet = {
    ...columnsOf<SubnetRow>(subnets.spec.attributes, columns),
    ...members,
    ip_version: cidr.version,
    cidr: formatCidr(cidr),
    subnetpool_id: pool?.id ?? null,
    gateway_ip,
    allocation_pools: pools ? checks.poolsOf(cidr, pools) : checks.defaultPools(cidr, gateway_ip),
    dns_nameservers: checks.checkedNameservers(members.id, given.dns_nameservers!),
    host_routes: checks.checkedRoutes(members.id, given.host_routes!, cidr.version),
  } as SubnetRow
  checks.checkGatewayOutsidePools(gateway_ip, subnet.allocation_pools)
  checks.checkDhcp(cidr, subnet.enable_dhcp)
  checks.checkModes(cidr, subnet)
  await subnetRows.insert(ctx.db, subnet)
  if (selfAddressed(subnet)) await addFormedAddresses(ctx, subnet)
  await keepDhcpPort(ctx, network)
  await changed(ctx, { networks: [network.id], ...(selfAddressed(subnet) && { readdressed: [network.id] }) })
  return subnet
}

async function updateSubnet(ctx: Ctx, row: SubnetRow, patch: Record<string, unknown>): Promise<SubnetRow> {
  const given = columnsOf<SubnetRow>(subnets.spec.attributes, patch)
  const cidr = parseCidr(row.cidr)!
  if (given.gateway_ip !== undefined) {
    given.gateway_ip = checks.gatewayOf(cidr, given.gateway_ip)
    if (given.gateway_ip !== row.gateway_ip) await checkGatewayFree(ctx, row)
  }
  if (given.allocation_pools) given.allocation_pools = checks.poolsOf(cidr, given.allocation_pools)
  if (given.dns_nameservers) given.dns_nameservers = checks.checkedNameservers(row.id, given.dns_nameservers)
  if (given.host_routes) given.host_routes = checks.checkedRoutes(row.id, given.host_routes, row.ip_version)
  const next = { ...row, ...given }
  checks.checkGatewayOutsidePools(next.gateway_ip, next.allocation_pools)
  checks.checkDhcp(cidr, next.enable_dhcp)
  checks.checkModes(cidr, next)
  await lockAddresses(ctx, [row.network_id])
  const changedRow = await touch(ctx, subnetRows, row, given)
  if (next.enable_dhcp !== row.enable_dhcp)
    await keepDhcpPort(ctx, (await networkRows.find(ctx.db, { id: row.network_id }))!)
  await changed(ctx, { networks: [row.network_id] })
  return changedRow
}

/** A router that has the gateway's address would lose its subnet. */
async function checkGatewayFree(ctx: Ctx, { id, gateway_ip }: SubnetRow): Promise<void> {
  if (gateway_ip === null) return
  const allocation = await allocationRows.find(ctx.db, { subnet_id: id, ip_address: gateway_ip })
  const port = allocation && (await portRows.find(ctx.db, { id: allocation.port_id }))
  if (port?.device_owner.startsWith('network:router_interface'))
    throw new Conflict(`Current gateway ip ${gateway_ip} already in use by port ${port.id}. Unable to update.`, {
      type: 'GatewayIpInUse',
    })
}

async function removeSubnet(ctx: Ctx, row: SubnetRow): Promise<void> {
  await lockAddresses(ctx, [row.network_id])
  const allocations = await allocationRows.list(ctx.db, { subnet_id: row.id })
  const ports = await portRows.list(ctx.db, { id: allocations.map(allocation => allocation.port_id) })
  // Addresses that guests form for themselves go with their subnet.
  const inUse = ports.filter(port =>
    selfAddressed(row) ? port.device_owner.startsWith('network:router_') : port.device_owner !== 'network:dhcp',
  )
  if (inUse.length > 0) throw subnetInUse(row.id)
  await allocationRows.remove(ctx.db, { subnet_id: row.id })
  await subnetRows.remove(ctx.db, { id: row.id })
  await archive(ctx, subnetRows.table, row.id, row)
  await keepDhcpPort(ctx, (await networkRows.find(ctx.db, { id: row.network_id }))!)
  await changed(ctx, { networks: [row.network_id], ...(selfAddressed(row) && { readdressed: [row.network_id] }) })
}
