/** Floating IPs: outside addresses that lead to ports. */
import type { Ctx } from '#kernel/context.ts'
import { archive } from '#kernel/db/archive.ts'
import { Fault } from '#kernel/errors.ts'
import { type Resource, resource } from '#kernel/resource.ts'
import { id, text } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { columnsOf, standardMembers, touch } from '#kernel/standard-row.ts'
import { normalAddress } from '../addresses.ts'
import { domainSchema } from '../domain.ts'
import { badResource, networkNotFound, noMoreAddresses } from '../errors.ts'
import { accessTo, noAccess } from '../networks/steps.ts'
import { type NetworkRow, networkRows } from '../networks/store.ts'
import { admin, projectMember, projectReader } from '../policy.ts'
import { makePort, type NewPort, removePorts } from '../ports/steps.ts'
import { allocationsOf, type PortRow, portRows } from '../ports/store.ts'
import { reserve } from '../quotas/quota.ts'
import { changed } from '../revision.ts'
import { subnetsOf } from '../subnets/store.ts'
import { associate, noAssociation } from './associate.ts'
import { type FloatingIpRow, floatingIpRows } from './store.ts'

const member = `${admin} or ${projectMember}`
const nullableId = Type.Union([Type.String({ format: 'uuid' }), Type.Null()])
const nullableAddress = Type.Union([Type.String({ format: 'ip' }), Type.Null()])

export const floatingIps: Resource<FloatingIpRow> = resource<FloatingIpRow>({
  path: '/v2.0/floatingips',
  collection: 'floatingips',
  member: 'floatingip',
  notFound: { type: 'FloatingIPNotFound', message: id => `Floating IP ${id} could not be found` },
  store: floatingIpRows,
  policy: { create: member, show: `${admin} or ${projectReader}`, update: member, delete: member },
  attributes: {
    floating_network_id: id({ create: true, required: true }),
    floating_ip_address: {
      schema: nullableAddress,
      create: `${admin} or rule:project_manager_api`,
      default: null,
    },
    subnet_id: { schema: nullableId, create: true, default: null, visible: false, column: false },
    port_id: { schema: nullableId, create: true, update: true, default: null, column: 'fixed_port_id' },
    fixed_ip_address: { schema: nullableAddress, create: true, update: true, default: null },
    router_id: { schema: nullableId },
    status: { schema: Type.String() },
    port_details: { schema: Type.Unknown(), column: false },
    port_forwardings: { schema: Type.Array(Type.Unknown()), column: false },
    dns_name: text(255, { create: true, default: '' }),
    dns_domain: { schema: domainSchema, create: true, default: '' },
    qos_policy_id: { schema: Type.Null(), create: true, update: true, default: null, column: false },
  },
  hooks: {
    create: createFloatingIp,
    update: updateFloatingIp,
    async remove(ctx, row) {
      await floatingIpRows.remove(ctx.db, { id: row.id })
      await removePorts(ctx, await portRows.list(ctx.db, { id: row.floating_port_id }))
      await archive(ctx, floatingIpRows.table, row.id, row)
      await changed(ctx, { routers: [row.router_id ?? ''] })
    },
    async view(ctx, rows) {
      const found = await portRows.list(ctx.db, { id: rows.flatMap(row => row.fixed_port_id ?? []) })
      const ports = new Map(found.map(port => [port.id, port]))
      return rows.map(row => ({
        port_details: row.fixed_port_id === null ? null : detailsOf(ports.get(row.fixed_port_id)),
        port_forwardings: [],
        qos_policy_id: null,
      }))
    },
  },
})

function detailsOf(port: PortRow | undefined) {
  if (!port) return null
  const { name, network_id, mac_address, admin_state_up, status, device_id, device_owner } = port
  return { name, network_id, mac_address, admin_state_up, status, device_id, device_owner }
}

async function createFloatingIp(ctx: Ctx, values: Record<string, unknown>): Promise<FloatingIpRow> {
  const given = columnsOf<FloatingIpRow>(floatingIps.spec.attributes, values)
  if (given.fixed_ip_address && !given.fixed_port_id)
    throw badResource('floatingip', 'fixed_ip_address cannot be specified without a port_id')
  await reserve(ctx, values.project_id as string, 'floatingip')
  const network = await externalNetwork(ctx, values.floating_network_id as string)
  const members = standardMembers(ctx, values)
  const fixed = given.fixed_ip_address ? normalAddress(given.fixed_ip_address)! : null
  const ip = { ...members, floating_network_id: network.id, floating_ip_address: given.floating_ip_address ?? 'None' }
  // Before the address: whoever changes a router's gateway also locks the router first, the addresses then.
  const association = given.fixed_port_id ? await associate(ctx, ip, given.fixed_port_id, fixed) : noAssociation
  const port = await claimAddress(ctx, network, members.id, {
    ...(values.subnet_id ? { subnet_id: values.subnet_id as string } : {}),
    ...(given.floating_ip_address ? { ip_address: given.floating_ip_address } : {}),
  })
  const address = (await allocationsOf(ctx.db, [port.id])).get(port.id)![0]!.ip_address
  const row: FloatingIpRow = {
    ...(given as FloatingIpRow),
    ...members,
    ...association,
    floating_network_id: network.id,
    floating_ip_address: address,
    floating_port_id: port.id,
    status: 'DOWN',
  }
  await floatingIpRows.insert(ctx.db, row)
  await changed(ctx, { routers: [row.router_id ?? ''] })
  return row
}

async function externalNetwork(ctx: Ctx, id: string): Promise<NetworkRow> {
  const network = await networkRows.find(ctx.db, { id })
  const { seen, external } = (network && (await accessTo(ctx, [network])).get(id)) ?? noAccess
  if (!network || !seen) throw networkNotFound(id)
  if (!external) throw badResource('floatingip', `Network ${id} is not a valid external network`)
  return network
}

/** The port that holds the outside address: as asked, or of the first IPv4 subnet that has room. */
async function claimAddress(
  ctx: Ctx,
  network: NetworkRow,
  floatingIpId: string,
  asked: { subnet_id?: string; ip_address?: string },
): Promise<PortRow> {
  const port: NewPort = {
    project_id: '',
    device_owner: 'network:floatingip',
    device_id: floatingIpId,
    row: { port_security_enabled: false },
  }
  const offered = (await subnetsOf(ctx.db, [network.id])).filter(subnet => subnet.ip_version === 4)
  if (offered.length === 0) throw badResource('floatingip', `Network ${network.id} does not contain any IPv4 subnet`)
  if (asked.subnet_id !== undefined || asked.ip_address !== undefined)
    return makePort(ctx, network, { ...port, fixed_ips: [asked] })
  for (const { id } of offered) {
    try {
      return await makePort(ctx, network, { ...port, fixed_ips: [{ subnet_id: id }] })
    } catch (error) {
      if (!(error instanceof Fault) || error.type !== 'IpAddressGenerationFailure') throw error
    }
  }
  throw noMoreAddresses(network.id)
}

export async function updateFloatingIp(
  ctx: Ctx,
  row: FloatingIpRow,
  patch: Record<string, unknown>,
): Promise<FloatingIpRow> {
  const { port_id, fixed_ip_address, ...others } = patch as {
    port_id?: string | null
    fixed_ip_address?: string | null
  }
  const columns: Partial<FloatingIpRow> = columnsOf<FloatingIpRow>(floatingIps.spec.attributes, others)
  const portId = port_id === undefined ? row.fixed_port_id : port_id
  if (fixed_ip_address && portId === null)
    throw badResource('floatingip', 'fixed_ip_address cannot be specified without a port_id')
  if (port_id !== undefined || fixed_ip_address !== undefined) {
    const fixed = fixed_ip_address ? normalAddress(fixed_ip_address)! : null
    const tied = portId === null ? noAssociation : await associate(ctx, row, portId, fixed)
    const moved = tied.fixed_port_id !== row.fixed_port_id || tied.fixed_ip_address !== row.fixed_ip_address
    Object.assign(columns, tied, moved && { status: 'DOWN' })
  }
  await changed(ctx, { routers: [row.router_id ?? '', columns.router_id ?? ''] })
  return touch(ctx, floatingIpRows, row, columns)
}
