/** Networks. */
import type { Ctx } from '#kernel/context.ts'
import { archive } from '#kernel/db/archive.ts'
import { Conflict } from '#kernel/errors.ts'
import { type Resource, resource } from '#kernel/resource.ts'
import { boolean, nullToList, text, toInteger } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { columnsOf, standardMembers, touch } from '#kernel/standard-row.ts'
import { networkConfig } from '../config.ts'
import { domainSchema } from '../domain.ts'
import { invalidInput, networkInUse } from '../errors.ts'
import { floatingIpRows } from '../floating-ips/store.ts'
import { admin, adminOrService, projectMember, projectReader } from '../policy.ts'
import { removePorts } from '../ports/steps.ts'
import { grouped, portRows } from '../ports/store.ts'
import { reserve } from '../quotas/quota.ts'
import { closeNetwork, setOpen } from '../rbac/steps.ts'
import { rbacRows } from '../rbac/store.ts'
import { changed } from '../revision.ts'
import { subnetRows, subnetsOf } from '../subnets/store.ts'
import { checkZones } from '../zones.ts'
import { claimSegment, mtuFor } from './segments.ts'
import { accessTo } from './steps.ts'
import { type NetworkRow, networkRows, sharedWith, visibleNetworks } from './store.ts'

const nullableText = Type.Union([Type.String({ maxLength: 255 }), Type.Null()])
const nullableInteger = Type.Union([Type.Integer(), Type.Null()])

export const networks: Resource<NetworkRow> = resource<NetworkRow>({
  path: '/v2.0/networks',
  collection: 'networks',
  member: 'network',
  notFound: { type: 'NetworkNotFound', message: id => `Network ${id} could not be found.` },
  store: networkRows,
  policy: {
    create: `${admin} or ${projectMember}`,
    show: `${adminOrService} or ${projectReader} or rule:shared or rule:external`,
    update: `${admin} or ${projectMember}`,
    delete: `${admin} or ${projectMember}`,
  },
  visible: visibleNetworks,
  filters: {
    shared(ctx, eb, values) {
      const shared = sharedWith(ctx.identity.project_id ?? '')
      return eb.or(values.map(value => (/^(true|1)$/i.test(value) ? shared : eb.not(shared))))
    },
  },
  attributes: {
    name: text(255, { create: true, update: true, default: '' }),
    admin_state_up: boolean({ create: true, update: true, default: true }),
    status: { schema: Type.String() },
    subnets: { schema: Type.Array(Type.String()), column: false },
    shared: boolean({ create: admin, update: admin, default: false }),
    'router:external': boolean({ create: admin, update: admin, default: false, column: 'external' }),
    is_default: boolean({ create: admin, update: admin, default: false }),
    'provider:network_type': {
      schema: nullableText,
      create: admin,
      update: admin,
      visible: admin,
      column: 'network_type',
    },
    'provider:physical_network': {
      schema: nullableText,
      create: admin,
      update: admin,
      visible: admin,
      column: 'physical_network',
    },
    'provider:segmentation_id': {
      schema: nullableInteger,
      convert: toInteger,
      create: admin,
      update: admin,
      visible: admin,
      column: 'segmentation_id',
    },
    mtu: {
      schema: Type.Union([Type.Literal(0), Type.Integer({ minimum: 68, maximum: 65535 })]),
      convert: toInteger,
      create: true,
      update: true,
      default: 0,
    },
    port_security_enabled: boolean({
      create: `${admin} or ${projectMember}`,
      update: `${admin} or ${projectMember}`,
      default: true,
    }),
    dns_domain: { schema: domainSchema, create: true, update: true, default: '' },
    availability_zone_hints: {
      schema: Type.Array(Type.String({ maxLength: 255 }), { maxItems: 10 }),
      convert: nullToList,
      create: true,
      default: [],
    },
    availability_zones: { schema: Type.Array(Type.String()), column: false },
    ipv4_address_scope: { schema: Type.Null(), column: false },
    ipv6_address_scope: { schema: Type.Null(), column: false },
    qos_policy_id: { schema: Type.Null(), create: true, update: true, default: null, column: false },
  },
  hooks: {
    async target(ctx, items) {
      const known = (items as NetworkRow[]).filter(item => item.id !== undefined)
      const access = await accessTo(ctx, known)
      return (items as NetworkRow[]).map(({ id }) => {
        const { shared, external } = access.get(id) ?? {}
        return id === undefined ? {} : { shared, 'router:external': external }
      })
    },
    create: createNetwork,
    update: updateNetwork,
    remove: removeNetwork,
    async view(ctx, rows, targets) {
      const ids = rows.map(row => row.id)
      const subnets = grouped(ids, await subnetsOf(ctx.db, ids), subnet => subnet.network_id)
      const zone = ctx.config.of(networkConfig).availability_zone
      return rows.map((row, i) => ({
        shared: targets[i]!.shared,
        subnets: subnets.get(row.id)!.map(subnet => subnet.id),
        availability_zones: [zone],
        ipv4_address_scope: null,
        ipv6_address_scope: null,
        qos_policy_id: null,
      }))
    },
  },
})

async function createNetwork(ctx: Ctx, values: Record<string, unknown>): Promise<NetworkRow> {
  const given = columnsOf<NetworkRow>(networks.spec.attributes, values)
  checkZones(ctx, given.availability_zone_hints ?? [])
  await reserve(ctx, values.project_id as string, 'network')
  const wire = await claimSegment(ctx, {
    network_type: given.network_type ?? undefined,
    physical_network: given.physical_network ?? undefined,
    segmentation_id: given.segmentation_id ?? undefined,
  })
  await checkDefault(ctx, undefined, given)
  const network = {
    ...given,
    ...standardMembers(ctx, values),
    ...wire,
    status: 'ACTIVE',
    mtu: mtuFor(ctx, wire.network_type, given.mtu),
  } as NetworkRow
  await networkRows.insert(ctx.db, network)
  if (network.shared) await setOpen(ctx, network, 'access_as_shared', true)
  if (network.external) await setOpen(ctx, network, 'access_as_external', true)
  return network
}

async function checkDefault(ctx: Ctx, id: string | undefined, values: Partial<NetworkRow>): Promise<void> {
  if (!values.is_default || values.external === false) return
  const other = await networkRows.find(ctx.db, { is_default: true, external: true })
  if (other && other.id !== id)
    throw new Conflict(`A default external network already exists: ${other.id}.`, {
      type: 'DefaultExternalNetworkExists',
    })
}

async function updateNetwork(ctx: Ctx, row: NetworkRow, patch: Record<string, unknown>): Promise<NetworkRow> {
  const given = columnsOf<NetworkRow>(networks.spec.attributes, patch)
  for (const column of ['network_type', 'physical_network', 'segmentation_id'] as const)
    if (given[column] !== undefined && given[column] !== row[column])
      throw invalidInput('Plugin does not support updating provider attributes')
  if (given.mtu !== undefined) given.mtu = mtuFor(ctx, row.network_type, given.mtu)
  if (row.external && given.external === false && (await portRows.find(ctx.db, gatewayPortsOf(row.id))))
    throw new Conflict(
      `External network ${row.id} cannot be updated to be made non-external, since it has existing gateway ports.`,
      { type: 'ExternalNetworkInUse' },
    )
  if (row.shared && given.shared === false && (await usedByOthers(ctx, row)))
    throw new Conflict(
      `Unable to reconfigure sharing settings for network ${row.id}. Multiple projects are using it.`,
      { type: 'InvalidSharedSetting' },
    )
  await checkDefault(ctx, row.id, { ...row, ...given })
  if (given.shared !== undefined) await setOpen(ctx, row, 'access_as_shared', given.shared)
  if (given.external === true) await setOpen(ctx, row, 'access_as_external', true)
  if (given.external === false) await closeNetwork(ctx, row.id, ['access_as_external'])
  await changed(ctx, { networks: [row.id] })
  return touch(ctx, networkRows, row, given)
}

const gatewayPortsOf = (id: string) => ({
  network_id: id,
  device_owner: ['network:router_gateway', 'network:floatingip'],
})

async function usedByOthers(ctx: Ctx, row: NetworkRow): Promise<boolean> {
  const given = await rbacRows.list(ctx.db, { object_id: row.id, action: 'access_as_shared' })
  const others = { op: 'not in', value: [row.project_id, '', ...given.map(grant => grant.target_tenant)] } as const
  const foreign = await portRows.list(ctx.db, { network_id: row.id, project_id: others }, { limit: 50 })
  return foreign.some(port => !port.device_owner.startsWith('network:'))
}

async function removeNetwork(ctx: Ctx, row: NetworkRow): Promise<void> {
  const ports = await portRows.list(ctx.db, { network_id: row.id })
  // Floating IPs that lead nowhere go with their network.
  const idle = await floatingIpRows.list(ctx.db, { floating_network_id: row.id, fixed_port_id: null })
  const going = new Set(idle.map(ip => ip.floating_port_id))
  if (ports.some(port => port.device_owner !== 'network:dhcp' && !going.has(port.id))) throw networkInUse(row.id)
  for (const ip of idle) {
    await floatingIpRows.remove(ctx.db, { id: ip.id })
    await archive(ctx, floatingIpRows.table, ip.id, ip)
  }
  await removePorts(ctx, ports)
  await subnetRows.remove(ctx.db, { network_id: row.id })
  await closeNetwork(ctx, row.id, ['access_as_shared', 'access_as_external'])
  await networkRows.remove(ctx.db, { id: row.id })
  await archive(ctx, networkRows.table, row.id, row)
}
