/** Ports: a guest's or a router's plug in a network, with its addresses. */
import type { Ctx } from '#kernel/context.ts'
import type { Rule } from '#kernel/policy/rule.ts'
import { rule } from '#kernel/policy/rule.ts'
import { type Resource, resource } from '#kernel/resource.ts'
import { disallowed } from '#kernel/resource-access.ts'
import { boolean, choice, id, nullToList, text } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { columnsOf, touch } from '#kernel/standard-row.ts'
import { domainSchema } from '../domain.ts'
import { networkNotFound, portBound, servicePortInUse } from '../errors.ts'
import { disassociateLost } from '../floating-ips/steps.ts'
import { networksAround } from '../networks/steps.ts'
import { networkRows, ofOwnNetwork } from '../networks/store.ts'
import { admin, adminOrService, netOwnerMember, netOwnerReader, projectMember, projectReader } from '../policy.ts'
import { reserve } from '../quotas/quota.ts'
import { changed } from '../revision.ts'
import { defaultGroup } from '../security-groups/steps.ts'
import { type AddressRequest, checkRequests } from './allocation.ts'
import * as checks from './checks.ts'
import { portFilters } from './filters.ts'
import { lockAddresses, macFor, makePort, removePorts, setAddresses, setGroups } from './steps.ts'
import { allocationsOf, groupsOf, type PortRow, portRows, unclaimed } from './store.ts'
import { viewPorts } from './view.ts'

const owner = `${adminOrService} or ${netOwnerMember}`
const ownerOrShared = `${owner} or rule:shared`
const member = `${admin} or ${projectMember} or role:service`
const pairOwner = `${adminOrService} or ${netOwnerMember}`

/** Rules on members of attributes. */
export const portRules = {
  createAddress: rule('create_port:fixed_ips:ip_address', owner),
  createSubnet: rule('create_port:fixed_ips:subnet_id', ownerOrShared),
  updateAddress: rule('update_port:fixed_ips:ip_address', owner),
  updateSubnet: rule('update_port:fixed_ips:subnet_id', ownerOrShared),
} satisfies Record<string, Rule>

const strict = { additionalProperties: false }
const noControl = Type.String({ maxLength: 255, pattern: '^[^\\u0000-\\u001f\\u007f]*$' })
const fixedIps = Type.Array(
  Type.Object(
    {
      subnet_id: Type.Optional(Type.String({ format: 'uuid' })),
      ip_address: Type.Optional(Type.String({ format: 'ip' })),
    },
    strict,
  ),
  { maxItems: 64 },
)
const pairs = Type.Array(
  Type.Object(
    {
      ip_address: Type.Union([Type.String({ format: 'cidr' }), Type.String({ format: 'ip' })]),
      mac_address: Type.Optional(Type.String({ format: 'mac' })),
    },
    strict,
  ),
)
const dhcpOptions = Type.Array(
  Type.Object(
    {
      opt_name: noControl,
      opt_value: Type.Union([noControl, Type.Null()]),
      ip_version: Type.Optional(choice([4, 6])),
    },
    strict,
  ),
  { maxItems: 64 },
)
const dnsName = Type.String({
  maxLength: 255,
  pattern: '^$|^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\\.?$',
})

const readVersion = (value: unknown) =>
  Array.isArray(value)
    ? value.map(option =>
        option && typeof option === 'object' && typeof option.ip_version === 'string'
          ? { ...option, ip_version: Number(option.ip_version) }
          : option,
      )
    : nullToList(value)

export const ports: Resource<PortRow> = resource<PortRow>({
  path: '/v2.0/ports',
  collection: 'ports',
  member: 'port',
  notFound: { type: 'PortNotFound', message: id => `Port ${id} could not be found.` },
  store: portRows,
  policy: {
    create: ownerOrShared,
    show: `${adminOrService} or ${projectReader} or ${netOwnerReader}`,
    update: `${adminOrService} or ${projectMember}`,
    delete: `${adminOrService} or ${projectMember} or ${netOwnerMember}`,
  },
  visible: (ctx, eb) => eb.or([eb('project_id', '=', ctx.identity.project_id ?? ''), ofOwnNetwork(ctx)]),
  filters: portFilters,
  attributes: {
    network_id: id({ create: true, required: true }),
    name: text(255, { create: true, update: true, default: '' }),
    admin_state_up: boolean({ create: true, update: true, default: true }),
    status: { schema: Type.String() },
    mac_address: {
      schema: Type.Union([Type.String({ format: 'mac' }), Type.Null()]),
      convert: value => (typeof value === 'string' ? value.toLowerCase().replaceAll('-', ':') : value),
      create: owner,
      update: adminOrService,
    },
    fixed_ips: { schema: fixedIps, convert: nullToList, create: ownerOrShared, update: ownerOrShared, column: false },
    device_id: text(255, { create: member, update: member, default: '' }),
    device_owner: text(255, {
      create: `not rule:network_device or ${owner}`,
      update: `not rule:network_device or ${owner}`,
      default: '',
    }),
    security_groups: {
      schema: Type.Array(Type.String({ format: 'uuid' }), { maxItems: 100 }),
      convert: nullToList,
      create: true,
      update: true,
      column: false,
    },
    port_security_enabled: boolean({ create: owner, update: owner }),
    allowed_address_pairs: {
      schema: pairs,
      convert: nullToList,
      create: pairOwner,
      update: pairOwner,
      default: [],
    },
    extra_dhcp_opts: { schema: dhcpOptions, convert: readVersion, create: true, update: true, default: [] },
    'binding:host_id': text(255, {
      create: adminOrService,
      update: adminOrService,
      visible: adminOrService,
      default: '',
      column: 'binding_host_id',
    }),
    'binding:vnic_type': {
      schema: choice(['normal', 'direct', 'macvtap', 'baremetal', 'direct-physical', 'virtio-forwarder', 'smart-nic']),
      create: member,
      update: member,
      default: 'normal',
      column: 'binding_vnic_type',
    },
    'binding:profile': {
      schema: Type.Object({}, { maxProperties: 64 }),
      convert: value => value ?? {},
      create: 'role:service',
      update: 'role:service',
      visible: adminOrService,
      default: {},
      column: 'binding_profile',
    },
    'binding:vif_type': { schema: Type.String(), visible: adminOrService, column: false },
    'binding:vif_details': { schema: Type.Object({}), visible: adminOrService, column: false },
    dns_name: { schema: dnsName, create: true, update: true, default: '' },
    dns_domain: { schema: domainSchema, create: true, update: true, default: '' },
    dns_assignment: { schema: Type.Array(Type.Unknown()), column: false },
    propagate_uplink_status: boolean({ create: true, update: true, default: true }),
    qos_policy_id: { schema: Type.Null(), create: true, update: true, default: null, column: false },
  },
  hooks: {
    target: ownersOf,
    async prepare(ctx, values) {
      const perProject = new Map<string, number>()
      for (const { project_id } of values as { project_id: string }[])
        perProject.set(project_id, (perProject.get(project_id) ?? 0) + 1)
      for (const [projectId, count] of [...perProject].sort()) await reserve(ctx, projectId, 'port', count)
      await lockAddresses(
        ctx,
        values.map(value => value.network_id as string),
      )
    },
    create: createPort,
    update: updatePort,
    async remove(ctx, row) {
      if (await checks.isPartOf(ctx, row)) throw servicePortInUse(row.id, row.device_owner)
      await removePorts(ctx, [row])
      const { id: port_id, device_id: server_id } = row
      if (row.server_index !== null) await ctx.services.compute.portDeleted(ctx, { server_id, port_id })
    },
    view: viewPorts,
  },
})

async function ownersOf(ctx: Ctx, items: readonly object[]): Promise<Record<string, unknown>[]> {
  const rows = items as PortRow[]
  const of = await networksAround(ctx, rows)
  return rows.map(row => {
    const network = of.get(row.network_id)
    if (!network || (row.id === undefined && !network.access.seen)) throw networkNotFound(row.network_id)
    const facts = { 'network:project_id': network.project_id, 'network:dns_domain': network.dns_domain }
    return { ...facts, shared: network.access.shared }
  })
}

async function enforceMembers(ctx: Ctx, verb: 'create' | 'update', port: object, ips: AddressRequest[]): Promise<void> {
  const [owners] = await ownersOf(ctx, [port])
  const target = { ...port, ...owners }
  const asks = (key: keyof AddressRequest) => ips.some(ip => ip[key] !== undefined)
  for (const [key, guard] of [
    ['ip_address', portRules[`${verb}Address`]],
    ['subnet_id', portRules[`${verb}Subnet`]],
  ] as const)
    if (asks(key) && !ctx.can(guard, target)) throw disallowed(guard.name)
}

async function createPort(ctx: Ctx, values: Record<string, unknown>): Promise<PortRow> {
  const network = await networkRows.find(ctx.db, { id: values.network_id as string })
  if (!network) throw networkNotFound(values.network_id as string)
  const given = columnsOf<PortRow>(ports.spec.attributes, values)
  const fixed_ips = values.fixed_ips as AddressRequest[] | undefined
  if (fixed_ips) {
    await enforceMembers(ctx, 'create', values, fixed_ips)
    checkRequests(fixed_ips)
    checks.checkFixedIpCount(fixed_ips.length)
  }
  await checks.checkDevice(ctx, given.device_owner!, given.device_id!)
  const port_security_enabled = given.port_security_enabled ?? network.port_security_enabled
  const mac_address = await macFor(ctx, network, given.mac_address ?? undefined)
  const allowed_address_pairs = checks.pairsOf(given.allowed_address_pairs!, mac_address)
  const sentGroups = values.security_groups as string[] | undefined
  const wantsDefault = sentGroups === undefined && port_security_enabled && !given.device_owner!.startsWith('network:')
  const groups = wantsDefault ? [(await defaultGroup(ctx, values.project_id as string)).id] : (sentGroups ?? [])
  if (sentGroups) await checks.checkGroups(ctx, sentGroups)
  checks.checkSecurity({
    port_security_enabled,
    groups: sentGroups ?? [],
    pairs: allowed_address_pairs,
    addresses: fixed_ips?.length ?? 1,
    setsGroups: true,
  })
  return makePort(ctx, network, {
    project_id: values.project_id as string,
    name: given.name!,
    description: values.description as string,
    tags: values.tags as string[],
    device_owner: given.device_owner!,
    device_id: given.device_id!,
    mac_address,
    ...(fixed_ips && { fixed_ips }),
    security_groups: groups,
    row: {
      admin_state_up: given.admin_state_up!,
      port_security_enabled,
      allowed_address_pairs,
      extra_dhcp_opts: checks.optionsOf([], values.extra_dhcp_opts as []),
      binding_host_id: given.binding_host_id!,
      binding_vnic_type: given.binding_vnic_type!,
      binding_profile: given.binding_profile!,
      dns_name: given.dns_name!.toLowerCase(),
      dns_domain: given.dns_domain!,
      propagate_uplink_status: given.propagate_uplink_status!,
    },
  })
}

async function updatePort(ctx: Ctx, row: PortRow, patch: Record<string, unknown>): Promise<PortRow> {
  const given = columnsOf<PortRow>(ports.spec.attributes, patch)
  const fixed_ips = patch.fixed_ips as AddressRequest[] | undefined
  const groups = patch.security_groups as string[] | undefined
  if (fixed_ips) {
    await enforceMembers(ctx, 'update', row, fixed_ips)
    checkRequests(fixed_ips)
    checks.checkFixedIpCount(fixed_ips.length)
  }
  if (given.mac_address !== undefined && given.mac_address !== row.mac_address) {
    if (row.binding_host_id !== '') throw portBound(row.id, row.mac_address, given.mac_address)
    given.mac_address = await macFor(ctx, { id: row.network_id }, given.mac_address ?? undefined)
  }
  await checks.checkDevice(ctx, given.device_owner ?? row.device_owner, given.device_id ?? row.device_id)
  if (given.allowed_address_pairs)
    given.allowed_address_pairs = checks.pairsOf(given.allowed_address_pairs, given.mac_address ?? row.mac_address)
  if (patch.extra_dhcp_opts) given.extra_dhcp_opts = checks.optionsOf(row.extra_dhcp_opts, patch.extra_dhcp_opts as [])
  if (given.dns_name) given.dns_name = given.dns_name.toLowerCase()
  if (groups) await checks.checkGroups(ctx, groups)
  const next = { ...row, ...given }
  checks.checkSecurity({
    port_security_enabled: next.port_security_enabled,
    groups: groups ?? (await groupsOf(ctx.db, [row.id])).get(row.id)!,
    pairs: next.allowed_address_pairs,
    addresses: fixed_ips?.length ?? (await allocationsOf(ctx.db, [row.id])).get(row.id)!.length,
    setsGroups: groups !== undefined,
  })
  if (given.binding_host_id !== undefined && given.binding_host_id !== row.binding_host_id)
    Object.assign(given, { status: 'DOWN', tap: null })
  const moved = ['device_id', 'device_owner'] as const
  if (row.server_index !== null && moved.some(name => given[name] !== undefined && given[name] !== row[name]))
    Object.assign(given, unclaimed)
  if (fixed_ips) {
    await checks.checkFloating(ctx, row.id, fixed_ips)
    await setAddresses(ctx, row, fixed_ips)
    await disassociateLost(ctx, row.id)
  }
  if (groups) await setGroups(ctx, row.id, groups)
  await changed(ctx, { hosts: [row.binding_host_id], ports: [row.id] })
  return touch(ctx, portRows, row, given)
}
