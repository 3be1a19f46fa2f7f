/** Servers as the API shows them, many at once: what hangs on them is fetched by one query a kind. */
import { hash } from 'node:crypto'
import type { Ctx } from '#kernel/context.ts'
import { admin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { inTurns, turnForMany } from '#kernel/turns.ts'
import type { ShownPort } from '../../network/contract.ts'
import { isAdmin, joined, type Link, naiveTime, resourceLinks } from '../dialect.ts'
import { shownAttributes } from '../extensions/steps.ts'
import { type HostRow, isUp } from '../hosts/host.ts'
import { hosts } from '../hosts/store.ts'
import { shownProperties } from './image-properties.ts'
import { type GuestDataRow, type ServerFault, type ServerRow, statusOf } from './server.ts'
import { showSoftware } from './software/software.ts'
import { besideInAll, besideInCells, type InAll, type InCell } from './store-beside.ts'
import { guestDataOfMany } from './store-guest-data.ts'

export const extendedAttributes = rule('os_compute_api:os-extended-server-attributes', admin)
export const showHostStatus = rule('os_compute_api:servers:show:host_status', admin)
export const showExtraSpecs = rule('os_compute_api:servers:show:flavor-extra-specs', projectReaderOrAdmin)

/** Rules that views check. */
export const viewRules = [extendedAttributes, showHostStatus, showExtraSpecs]

const statusesWithProgress = ['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING']

/** `2026-01-31T12:00:00Z` */
export const shownTime = (iso: string) => joined(iso.slice(0, 19), 'Z')
const shownMicroseconds = (iso: string | null) => (iso === null ? null : naiveTime(iso))

export const serverLinks = (ctx: Ctx, id: string) => resourceLinks(ctx, `servers/${id}`)

const bookmark = (ctx: Ctx, path: string) => resourceLinks(ctx, path).slice(1)

/** What of a server a brief view shows. */
export const briefColumns = ['id', 'display_name'] as const

export function briefView(ctx: Ctx, server: Pick<ServerRow, (typeof briefColumns)[number]>) {
  return { id: server.id, name: server.display_name, links: serverLinks(ctx, server.id) }
}

const plainColumns = [
  ...(['id', 'project_id', 'user_id', 'display_name', 'display_description', 'host', 'availability_zone'] as const),
  ...(['image_ref', 'flavor', 'vm_state', 'task_state', 'power_state', 'progress', 'metadata', 'fault'] as const),
  ...(['created_at', 'updated_at', 'launched_at', 'key_name', 'config_drive', 'disk_config'] as const),
  ...(['access_ip_v4', 'access_ip_v6', 'locked_by', 'locked_reason', 'trusted_image_certificates'] as const),
]
const moreColumns = ['image', 'hostname', 'reservation_id', 'launch_index', 'node', 'root_device_name'] as const

/** As much of a server as is shown of it in detail; the optional part is for those who see more. */
export type ShownServer = Pick<ServerRow, (typeof plainColumns)[number] | 'terminated_at'> &
  Partial<Pick<ServerRow, (typeof moreColumns)[number]>>

/** The columns that the caller is shown something of: what nobody sees of a thousand servers is not read. */
export const detailColumns = (ctx: Ctx): readonly (keyof ShownServer & keyof ServerRow)[] =>
  ctx.can(extendedAttributes) || ctx.atLeast('2.90') ? [...plainColumns, ...moreColumns] : plainColumns

export type Addresses = Record<
  string,
  { version: number; addr: string; 'OS-EXT-IPS:type': 'fixed' | 'floating'; 'OS-EXT-IPS-MAC:mac_addr': string }[]
>

/** Addresses by the name of their network. */
export function addressesOf(ports: readonly ShownPort[]): Addresses {
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

/** The security groups of all ports, each once. */
function groupsOf(ports: readonly ShownPort[]): { name: string }[] {
  const groups: { name: string }[] = []
  for (const port of ports)
    for (const { name } of port.security_groups) if (!groups.some(group => group.name === name)) groups.push({ name })
  return groups
}

/** Says whether two servers of a project share a host, without saying which. */
export function hostIdOf({ host, project_id }: Pick<ServerRow, 'host' | 'project_id'>): string {
  return host === null ? '' : hash('sha224', `${project_id}${host}`)
}

/** What servers of one list have in common is made once. */
function shared<K, V>(made: Map<K, V>, key: K, make: () => V): V {
  const known = made.get(key)
  if (known !== undefined) return known
  const value = make()
  made.set(key, value)
  return value
}

function flavorView(ctx: Ctx, flavor: ServerRow['flavor'], seeExtraSpecs: boolean) {
  return {
    id: flavor.id,
    links: bookmark(ctx, `flavors/${flavor.id}`),
    original_name: flavor.name,
    vcpus: flavor.vcpus,
    ram: flavor.ram,
    disk: flavor.disk,
    ephemeral: flavor.ephemeral,
    swap: flavor.swap,
    extra_specs: seeExtraSpecs ? flavor.extra_specs : undefined,
  }
}

function imageView(ctx: Ctx, { image_ref: id, image }: ShownServer, known: Around) {
  if (!id) return '' as const
  const properties = ctx.atLeast('2.98') ? { properties: shownProperties(image?.properties ?? {}) } : {}
  return { id, links: shared(known.imageLinks, id, () => bookmark(ctx, `images/${id}`)), ...properties }
}

function faultView(fault: ServerFault, known: Around) {
  const { code, message, created, details } = fault
  const showDetails = details !== '' && (code !== 500 || known.may.seeFaultDetails)
  return { code, created: shownTime(created), message, ...(showDetails && { details }) }
}

/** What other tables and services know of the servers of one answer. */
interface Around {
  ports: Map<string, ShownPort[]>
  inCell: InCell
  guestData: Map<string, GuestDataRow>
  inAll: InAll
  hostStatus: Map<string, string>
  /** Of extensions; undefined when none has attributes. */
  attributes: ReadonlyMap<string, Record<string, unknown>> | undefined
  /** By project and host. */
  hostIds: Map<string, Map<string | null, string>>
  flavors: Map<ServerRow['flavor'], ReturnType<typeof flavorView>>
  imageLinks: Map<string, Link[]>
  may: { seeExtended: boolean; seeHostStatus: boolean; seeExtraSpecs: boolean; seeFaultDetails: boolean }
  showHostname: boolean
}

async function around(ctx: Ctx, servers: readonly ShownServer[], single: boolean): Promise<Around> {
  const ids = servers.map(server => server.id)
  const may = {
    seeExtended: ctx.can(extendedAttributes),
    seeHostStatus: ctx.can(showHostStatus),
    seeExtraSpecs: ctx.can(showExtraSpecs),
    seeFaultDetails: isAdmin(ctx),
  }
  return {
    ports: await ctx.services.network.shownPorts(ctx, ids),
    inCell: await besideInCells(ctx, ids, { software: single && ctx.can(showSoftware) }),
    guestData: may.seeExtended && ctx.atLeast('2.3') ? await guestDataOfMany(ctx, ids) : new Map(),
    // Groups are shown from 2.71 on, of single servers; what was asked for from 2.96 on.
    inAll: await besideInAll(ctx, ctx.atLeast(single ? '2.71' : '2.96') ? ids : []),
    hostStatus: ctx.atLeast('2.16') && may.seeHostStatus ? await hostStatuses(ctx, servers) : new Map(),
    attributes: await shownAttributes(ctx, servers),
    hostIds: new Map(),
    flavors: new Map(),
    imageLinks: new Map(),
    may,
    showHostname: ctx.atLeast('2.90'),
  }
}

/** By host: what its servers may expect of it. */
async function hostStatuses(ctx: Ctx, servers: readonly ShownServer[]): Promise<Map<string, string>> {
  const names = new Set(servers.flatMap(({ host }) => host ?? []))
  const found = await hosts.list(ctx.db, { name: [...names] })
  const statusOfHost = (host: HostRow) => (host.disabled ? 'MAINTENANCE' : 'UP')
  return new Map(found.map(host => [host.name, isUp(ctx, host) ? statusOfHost(host) : 'DOWN']))
}

/** A server as it is shown alone: with its groups, and the software that was asked for. */
export async function singleView(ctx: Ctx, server: ServerRow) {
  const known = await around(ctx, [server], true)
  const server_groups = known.inAll.groups.get(server.id) ?? []
  return {
    ...detailedView(ctx, server, known),
    server_groups,
    'os-software:request': known.inCell.software.get(server.id),
    ...known.attributes?.get(server.id),
  }
}

export async function detailedViews(ctx: Ctx, servers: readonly ShownServer[]) {
  await turnForMany(servers)
  const known = await around(ctx, servers, false)
  return inTurns(servers, server => Object.assign(detailedView(ctx, server, known), known.attributes?.get(server.id)))
}

/** What an answer to a change did not show before 2.75. */
const shownSince275 = /^(OS-EXT-|OS-SRV-USG:|os-extended-volumes:|(config_drive|key_name|security_groups|host_status)$)/

/** A server in the answer to a change of it. */
export async function changedView(ctx: Ctx, server: ServerRow) {
  // What the guest is told, and is to have, is shown with the server alone.
  const { 'OS-EXT-SRV-ATTR:user_data': _, 'os-software:request': __, ...full } = await singleView(ctx, server)
  if (ctx.atLeast('2.75')) return full
  const addresses = Object.entries(full.addresses).map(([network, its]) => [
    network,
    its.map(({ version, addr }) => ({ version, addr })),
  ])
  const shown = Object.entries({ ...full, addresses: Object.fromEntries(addresses) })
  return Object.fromEntries(shown.filter(([field]) => !shownSince275.test(field)))
}

/** One shape whatever is shown, since many are made at once: what is not shown is undefined, which is nothing in JSON. */
function detailedView(ctx: Ctx, server: ShownServer, known: Around) {
  const { flavor } = server
  const status = statusOf(server)
  const extended = known.may.seeExtended ? server : undefined
  const ports = known.ports.get(server.id) ?? []
  const groups = groupsOf(ports)
  return {
    id: server.id,
    name: server.display_name,
    status,
    tenant_id: server.project_id,
    user_id: server.user_id,
    metadata: server.metadata,
    hostId: shared(
      shared(known.hostIds, server.project_id, () => new Map<string | null, string>()),
      server.host,
      () => hostIdOf(server),
    ),
    image: imageView(ctx, server, known),
    flavor: shared(known.flavors, flavor, () => flavorView(ctx, flavor, known.may.seeExtraSpecs)),
    created: shownTime(server.created_at),
    updated: shownTime(server.updated_at),
    addresses: server.vm_state === 'building' ? {} : addressesOf(ports),
    accessIPv4: server.access_ip_v4 ?? '',
    accessIPv6: server.access_ip_v6 ?? '',
    links: serverLinks(ctx, server.id),
    progress: statusesWithProgress.includes(status) ? server.progress : undefined,
    fault: (status === 'ERROR' || status === 'DELETED') && server.fault ? faultView(server.fault, known) : undefined,
    key_name: server.key_name,
    config_drive: server.config_drive ? 'True' : '',
    security_groups: groups.length > 0 ? groups : undefined,
    'OS-DCF:diskConfig': server.disk_config,
    'OS-EXT-AZ:availability_zone': server.availability_zone ?? '',
    'OS-SRV-USG:launched_at': shownMicroseconds(server.launched_at),
    'OS-SRV-USG:terminated_at': shownMicroseconds(server.terminated_at ?? null),
    'OS-EXT-STS:task_state': server.task_state,
    'OS-EXT-STS:vm_state': status === 'DELETED' ? 'deleted' : server.vm_state,
    'OS-EXT-STS:power_state': server.power_state,
    'os-extended-volumes:volumes_attached': known.inCell.volumes.get(server.id) ?? [],
    host_status: known.may.seeHostStatus ? (known.hostStatus.get(server.host ?? '') ?? '') : undefined,
    'OS-EXT-SRV-ATTR:host': extended?.host,
    'OS-EXT-SRV-ATTR:instance_name': extended && `instance-${server.id.slice(0, 8)}`,
    'OS-EXT-SRV-ATTR:hypervisor_hostname': extended?.node,
    'OS-EXT-SRV-ATTR:reservation_id': extended?.reservation_id,
    'OS-EXT-SRV-ATTR:launch_index': extended?.launch_index,
    'OS-EXT-SRV-ATTR:hostname': extended || known.showHostname ? server.hostname : undefined,
    'OS-EXT-SRV-ATTR:kernel_id': extended && (server.image?.properties.kernel_id ?? ''),
    'OS-EXT-SRV-ATTR:ramdisk_id': extended && (server.image?.properties.ramdisk_id ?? ''),
    'OS-EXT-SRV-ATTR:root_device_name': extended?.root_device_name,
    'OS-EXT-SRV-ATTR:user_data': extended && (known.guestData.get(server.id)?.user_data ?? null),
    locked: server.locked_by !== null,
    description: server.display_description,
    tags: known.inCell.tags.get(server.id) ?? [],
    trusted_image_certificates: server.trusted_image_certificates,
    locked_reason: server.locked_reason,
    pinned_availability_zone: known.inAll.specs.get(server.id)?.availability_zone ?? null,
    scheduler_hints: known.inAll.specs.get(server.id)?.scheduler_hints ?? {},
  }
}
