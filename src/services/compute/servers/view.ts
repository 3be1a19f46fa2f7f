/** Servers as the API shows them, many at once: what hangs on them is fetched by one query a kind. */
import { createHash } from 'node:crypto'
import type { Ctx } from '#kernel/context.ts'
import { admin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import type { ServerPort } from '../../network/contract.ts'
import { isAdmin, naiveTime, resourceLinks } from '../dialect.ts'
import { type HostRow, isUp } from '../hosts/host.ts'
import { hosts } from '../hosts/store.ts'
import { groupsOf } from '../server-groups/store.ts'
import { shownProperties } from './image-properties.ts'
import { type GuestDataRow, type RequestSpec, type ServerFault, type ServerRow, statusOf } from './server.ts'
import { guestDataOfMany, requestSpecsOf } from './store.ts'
import { tagsOfMany } from './store-tags.ts'

export const extendedAttributes = rule('os_compute_api:os-extended-server-attributes', admin)
export const showHostStatus = rule('os_compute_api:servers:show:host_status', admin)
export const showExtraSpecs = rule('os_compute_api:servers:show:flavor-extra-specs', projectReaderOrAdmin)

/** Rules that views check. */
export const viewRules = [extendedAttributes, showHostStatus, showExtraSpecs]

const statusesWithProgress = ['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING']

/** `2026-01-31T12:00:00Z` */
export const shownTime = (iso: string) => `${iso.slice(0, 19)}Z`
const shownMicroseconds = (iso: string | null) => (iso === null ? null : naiveTime(iso))

export const serverLinks = (ctx: Ctx, id: string) => resourceLinks(ctx, `servers/${id}`)

const bookmark = (ctx: Ctx, path: string) => resourceLinks(ctx, path).slice(1)

export function briefView(ctx: Ctx, server: ServerRow) {
  return { id: server.id, name: server.display_name, links: serverLinks(ctx, server.id) }
}

export type Addresses = Record<
  string,
  { version: number; addr: string; 'OS-EXT-IPS:type': 'fixed' | 'floating'; 'OS-EXT-IPS-MAC:mac_addr': string }[]
>

/** Addresses by the name of their network. */
export function addressesOf(ports: readonly ServerPort[]): Addresses {
  const addresses: Addresses = {}
  for (const port of ports) {
    addresses[port.network_name] ??= []
    const list = addresses[port.network_name]!
    const mac = { 'OS-EXT-IPS-MAC:mac_addr': port.mac_address }
    for (const { version, ip_address } of port.fixed_ips) {
      list.push({ version, addr: ip_address, 'OS-EXT-IPS:type': 'fixed', ...mac })
    }
    for (const addr of port.floating_ips) list.push({ version: 4, addr, 'OS-EXT-IPS:type': 'floating', ...mac })
  }
  return addresses
}

/** Says whether two servers of a project share a host, without saying which. */
export function hostIdOf({ host, project_id }: Pick<ServerRow, 'host' | 'project_id'>): string {
  return host === null ? '' : createHash('sha224').update(`${project_id}${host}`).digest('hex')
}

function sharedHostId(server: ServerRow, known: Map<string, string>): string {
  const key = `${server.project_id} ${server.host}`
  const id = known.get(key) ?? hostIdOf(server)
  known.set(key, id)
  return id
}

function flavorView(ctx: Ctx, { flavor }: ServerRow, known: Around) {
  return {
    id: flavor.id,
    links: bookmark(ctx, `flavors/${flavor.id}`),
    original_name: flavor.name,
    vcpus: flavor.vcpus,
    ram: flavor.ram,
    disk: flavor.disk,
    ephemeral: flavor.ephemeral,
    swap: flavor.swap,
    ...(known.may.seeExtraSpecs && { extra_specs: flavor.extra_specs }),
  }
}

function imageView(ctx: Ctx, { image_ref: id, image }: ServerRow) {
  if (!id) return '' as const
  const properties = ctx.atLeast('2.98') ? { properties: shownProperties(image?.properties ?? {}) } : {}
  return { id, links: bookmark(ctx, `images/${id}`), ...properties }
}

function faultView(fault: ServerFault, known: Around) {
  const { code, message, created, details } = fault
  const showDetails = details !== '' && (code !== 500 || known.may.seeFaultDetails)
  return { code, created: shownTime(created), message, ...(showDetails && { details }) }
}

/** What other tables and services know of the servers of one answer. */
interface Around {
  ports: Map<string, ServerPort[]>
  tags: Map<string, string[]>
  guestData: Map<string, GuestDataRow>
  /** What was asked for, from 2.96 on. */
  specs: Map<string, RequestSpec>
  hostStatus: Map<string, string>
  /** `hostId` by host and project: servers share them. */
  hostIds: Map<string, string>
  may: { seeExtended: boolean; seeHostStatus: boolean; seeExtraSpecs: boolean; seeFaultDetails: boolean }
  showHostname: boolean
}

async function around(ctx: Ctx, servers: readonly ServerRow[]): Promise<Around> {
  const ids = servers.map(server => server.id)
  const may = {
    seeExtended: ctx.can(extendedAttributes),
    seeHostStatus: ctx.can(showHostStatus),
    seeExtraSpecs: ctx.can(showExtraSpecs),
    seeFaultDetails: isAdmin(ctx),
  }
  return {
    ports: await ctx.services.network.portsOf(ctx, ids),
    tags: ctx.atLeast('2.26') ? await tagsOfMany(ctx, ids) : new Map(),
    guestData: may.seeExtended && ctx.atLeast('2.3') ? await guestDataOfMany(ctx, ids) : new Map(),
    specs: ctx.atLeast('2.96') ? await requestSpecsOf(ctx, ids) : new Map(),
    hostStatus: ctx.atLeast('2.16') && may.seeHostStatus ? await hostStatuses(ctx, servers) : new Map(),
    hostIds: new Map(),
    may,
    showHostname: ctx.atLeast('2.90'),
  }
}

/** By host: what its servers may expect of it. */
async function hostStatuses(ctx: Ctx, servers: readonly ServerRow[]): Promise<Map<string, string>> {
  const names = new Set(servers.flatMap(({ host }) => host ?? []))
  const found = await hosts.list(ctx.db, { name: [...names] })
  const statusOfHost = (host: HostRow) => (host.disabled ? 'MAINTENANCE' : 'UP')
  return new Map(found.map(host => [host.name, isUp(ctx, host) ? statusOfHost(host) : 'DOWN']))
}

export async function detailedViews(ctx: Ctx, servers: readonly ServerRow[]) {
  const known = await around(ctx, servers)
  return servers.map(server => detailedView(ctx, server, known))
}

/** What an answer to a change did not show before 2.75. */
const shownSince275 = /^(OS-EXT-|OS-SRV-USG:|os-extended-volumes:|(config_drive|key_name|security_groups|host_status)$)/

/** A server in the answer to a change of it. */
export async function changedView(ctx: Ctx, server: ServerRow) {
  const [view] = await detailedViews(ctx, [server])
  const server_groups = ctx.atLeast('2.71') ? await groupsOf(ctx, server.id) : []
  // What the guest is told is shown with the server alone.
  const { 'OS-EXT-SRV-ATTR:user_data': _, ...shownLater } = { 'OS-EXT-SRV-ATTR:user_data': undefined, ...view! }
  const full = { ...shownLater, server_groups }
  if (ctx.atLeast('2.75')) return full
  const addresses = Object.entries(full.addresses).map(([network, its]) => [
    network,
    its.map(({ version, addr }) => ({ version, addr })),
  ])
  const shown = Object.entries({ ...full, addresses: Object.fromEntries(addresses) })
  return Object.fromEntries(shown.filter(([field]) => !shownSince275.test(field)))
}

function detailedView(ctx: Ctx, server: ServerRow, known: Around) {
  const status = statusOf(server)
  const ports = known.ports.get(server.id) ?? []
  const groups = [...new Set(ports.flatMap(port => port.security_groups.map(group => group.name)))]
  return {
    id: server.id,
    name: server.display_name,
    status,
    tenant_id: server.project_id,
    user_id: server.user_id,
    metadata: server.metadata,
    hostId: sharedHostId(server, known.hostIds),
    image: imageView(ctx, server),
    flavor: flavorView(ctx, server, known),
    created: shownTime(server.created_at),
    updated: shownTime(server.updated_at),
    addresses: server.vm_state === 'building' ? {} : addressesOf(ports),
    accessIPv4: server.access_ip_v4 ?? '',
    accessIPv6: server.access_ip_v6 ?? '',
    links: serverLinks(ctx, server.id),
    ...(statusesWithProgress.includes(status) && { progress: server.progress }),
    ...((status === 'ERROR' || status === 'DELETED') && server.fault && { fault: faultView(server.fault, known) }),
    key_name: server.key_name,
    config_drive: server.config_drive ? 'True' : '',
    ...(groups.length > 0 && { security_groups: groups.map(name => ({ name })) }),
    'OS-DCF:diskConfig': server.disk_config,
    'OS-EXT-AZ:availability_zone': server.availability_zone ?? '',
    'OS-SRV-USG:launched_at': shownMicroseconds(server.launched_at),
    'OS-SRV-USG:terminated_at': shownMicroseconds(server.terminated_at ?? null),
    'OS-EXT-STS:task_state': server.task_state,
    'OS-EXT-STS:vm_state': status === 'DELETED' ? 'deleted' : server.vm_state,
    'OS-EXT-STS:power_state': server.power_state,
    'os-extended-volumes:volumes_attached': [],
    ...extended(server, known),
    locked: server.locked_by !== null,
    description: server.display_description,
    tags: known.tags.get(server.id) ?? [],
    trusted_image_certificates: server.trusted_image_certificates,
    locked_reason: server.locked_reason,
    pinned_availability_zone: known.specs.get(server.id)?.availability_zone ?? null,
    scheduler_hints: known.specs.get(server.id)?.scheduler_hints ?? {},
  }
}

function extended(server: ServerRow, known: Around) {
  const seenByAll = {
    ...(known.may.seeHostStatus && { host_status: known.hostStatus.get(server.host ?? '') ?? '' }),
    ...(known.showHostname && { 'OS-EXT-SRV-ATTR:hostname': server.hostname }),
  }
  if (!known.may.seeExtended) return seenByAll
  return {
    ...seenByAll,
    'OS-EXT-SRV-ATTR:host': server.host,
    'OS-EXT-SRV-ATTR:instance_name': `instance-${server.id.slice(0, 8)}`,
    'OS-EXT-SRV-ATTR:hypervisor_hostname': server.node,
    'OS-EXT-SRV-ATTR:reservation_id': server.reservation_id,
    'OS-EXT-SRV-ATTR:launch_index': server.launch_index,
    'OS-EXT-SRV-ATTR:hostname': server.hostname,
    'OS-EXT-SRV-ATTR:kernel_id': server.image?.properties.kernel_id ?? '',
    'OS-EXT-SRV-ATTR:ramdisk_id': server.image?.properties.ramdisk_id ?? '',
    'OS-EXT-SRV-ATTR:root_device_name': server.root_device_name,
    'OS-EXT-SRV-ATTR:user_data': known.guestData.get(server.id)?.user_data ?? null,
  }
}
