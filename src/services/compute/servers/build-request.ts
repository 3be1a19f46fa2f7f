/** Turns the body of a request to create servers into what is to be built, or says what is wrong with it. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { randomPassword } from '#kernel/ids.ts'
import { admin, type Rule, rule } from '#kernel/policy/rule.ts'
import type { NetworkRequest } from '../../network/contract.ts'
import { computeConfig } from '../config.ts'
import { integerOf, isTrue } from '../dialect.ts'
import { attributesAsked } from '../extensions/steps.ts'
import { flavorFor } from '../flavors/store.ts'
import { hostNamed, zoneAvailable, zoneOfHost } from '../hosts/hosts.ts'
import { keypairs } from '../keypairs/store.ts'
import { checkKeys } from '../metadata-keys.ts'
import { requireLevels } from '../places/place.ts'
import { groupOf } from '../server-groups/store.ts'
import { isRoot } from './block-device.ts'
import { askedDevices, checkedDevices, type WantedDevice } from './block-devices.ts'
import { type CreateBody, keptIp } from './create-schema.ts'
import { encryptionAsked } from './encryption.ts'
import { diskConfigOf } from './guest-works/disk-config.ts'
import { imageOfServer } from './image-of-server.ts'
import { machineWishes } from './machine.ts'
import { levelsOf } from './nearness.ts'
import { checkContents } from './quota.ts'
import type { GuestDataRow, RequestSpec, ServerFlavor, ServerImage } from './server.ts'
import {
  checkedRequest,
  hasAgent,
  noAgent,
  refusedRequest,
  type SoftwareRequest,
  softwareRule,
} from './software/software.ts'

export const forcedHost = rule('os_compute_api:servers:create:forced_host', admin)
export const requestedDestination = rule('compute:servers:create:requested_destination', admin)

export interface BuildRequest {
  min_count: number
  max_count: number
  name: string
  description: string | null
  /** Undefined: made of the name. */
  hostname: string | undefined
  flavor: ServerFlavor
  /** Null when it boots from a volume. */
  image: ServerImage | null
  devices: WantedDevice[]
  networks: NetworkRequest
  security_groups: string[]
  spec: RequestSpec
  guestData: Omit<GuestDataRow, 'server_id'> & { admin_password: string }
  key_name: string | null
  config_drive: boolean
  metadata: Record<string, string>
  tags: string[]
  access_ip_v4: string | null
  access_ip_v6: string | null
  disk_config: 'AUTO' | 'MANUAL'
  trusted_image_certificates: string[] | null
  software: SoftwareRequest | undefined
  /** Of extensions, by name. */
  attributes: Record<string, unknown>
}

type ServerBody = CreateBody['server']

export async function buildRequest(ctx: Ctx, body: CreateBody, project: string): Promise<BuildRequest> {
  const { server } = body
  const counts = countsOf(server)
  const hostname = server.hostname
  if (hostname !== undefined && counts.max_count > 1) {
    throw new BadRequest('Unable to allocate a single hostname to multiple instances')
  }
  const spec = await requestSpec(ctx, body)
  const asked = askedDevices(server)
  const networks = networksOf(ctx, server)
  if (counts.max_count > 1) refuseSharedPorts(networks)
  const flavor = await flavorOfServer(ctx, String(server.flavorRef))
  const metadata = server.metadata ?? {}
  checkKeys(ctx, metadata)
  await checkContents(ctx, project, metadata, server.personality ?? [])
  const devices = await checkedDevices(ctx, asked, { server, flavor, count: counts.max_count })
  const fromVolume = devices.some(device => isRoot(device) && device.kind === 'volume')
  const image = fromVolume ? null : await imageOfServer(ctx, imageRefOf(server), flavor)
  machineWishes(ctx, flavor, image)
  encryptionAsked(flavor, image)
  await ctx.services.network.validate(ctx, networks, project)
  const key = await keypairOf(ctx, server.key_name)
  const groups = (server.security_groups ?? []).flatMap(group => (group.name === undefined ? [] : [group.name]))
  const forced = ctx.config.of(computeConfig).force_config_drive || image?.properties.img_config_drive === 'mandatory'
  return {
    ...counts,
    name: server.name,
    description: ctx.atLeast('2.19') ? (server.description ?? null) : server.name,
    hostname,
    flavor,
    image,
    devices,
    networks,
    security_groups: groups.length > 0 ? [...new Set(groups)] : ['default'],
    spec,
    guestData: {
      user_data: server.user_data ?? null,
      public_key: key?.public_key ?? null,
      key_type: key?.type ?? null,
      admin_password: server.adminPass ?? randomPassword(ctx.ids, 12),
      personality: server.personality ?? null,
    },
    key_name: server.key_name ?? null,
    config_drive: forced || isTrue(server.config_drive),
    metadata,
    tags: [...new Set(server.tags ?? [])],
    access_ip_v4: keptIp(server.accessIPv4),
    access_ip_v6: keptIp(server.accessIPv6),
    disk_config: diskConfigOf(image, server['OS-DCF:diskConfig']),
    trusted_image_certificates: server.trusted_image_certificates ?? null,
    software: softwareAsked(ctx, server, image),
    attributes: attributesAsked(ctx, server),
  }
}

function softwareAsked(ctx: Ctx, server: ServerBody, image: ServerImage | null): SoftwareRequest | undefined {
  const field = 'os-software:request'
  const asked = server[field]
  if (asked === undefined) return undefined
  ctx.enforce(softwareRule)
  if (!hasAgent(image)) throw refusedRequest(field, noAgent)
  return checkedRequest(field, asked)
}

function countsOf(server: ServerBody): { min_count: number; max_count: number } {
  const min_count = integerOf(server.min_count ?? 1, 'min_count', 1)
  const max_count = integerOf(server.max_count ?? min_count, 'max_count', 1)
  if (min_count > max_count) throw new BadRequest('min_count must be <= max_count')
  return { min_count, max_count }
}

/** A query may come as the JSON it is, or as text; yes may be said in many ways. */
function textsOf(hint: string, value: unknown): string[] {
  if (hint === 'query') return [typeof value === 'string' ? value : JSON.stringify(value)]
  if (hint === 'all_or_nothing') return [String(isTrue(value as boolean | string))]
  return [value].flat().map(String)
}

async function requestSpec(ctx: Ctx, body: CreateBody): Promise<RequestSpec> {
  const { server } = body
  const { zone, host } = await zoneAndHost(ctx, server)
  const hints = body['os:scheduler_hints'] ?? body['OS-SCH-HNT:scheduler_hints'] ?? {}
  const scheduler_hints = Object.fromEntries(Object.entries(hints).map(([key, value]) => [key, textsOf(key, value)]))
  const group_id = scheduler_hints.group?.[0] ?? null
  if (group_id !== null && !(await groupOf(ctx, group_id))) {
    throw new BadRequest(`Instance group ${group_id} could not be found.`)
  }
  await requireLevels(ctx, levelsOf(scheduler_hints))
  const boot_roles = [...(ctx.identity.roles ?? [])]
  return { availability_zone: zone, requested_host: host, scheduler_hints, group_id, boot_roles }
}

/** Admins may name a host: in the zone (`zone:host:node`), or on its own from 2.74 on. */
async function zoneAndHost(ctx: Ctx, server: ServerBody): Promise<{ zone: string | null; host: string | null }> {
  const [zone, ...rest] = (server.availability_zone ?? '').split(':')
  if (rest.length > 2) throw new BadRequest(`Unable to parse availability_zone ${server.availability_zone}`)
  const forced = rest.find(part => part !== '')
  const requested = server.host ?? server.hypervisor_hostname
  if (forced !== undefined) requirePermission(ctx, forcedHost)
  if (requested !== undefined) requirePermission(ctx, requestedDestination)
  if (forced !== undefined && requested !== undefined) {
    throw new BadRequest(
      'One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are mutually exclusive.',
    )
  }
  const host = forced ?? requested ?? null
  const row = host === null ? undefined : await hostNamed(ctx, host)
  if (host !== null && !row) throw new BadRequest(`Compute host ${host} could not be found.`)
  if (!zone) return { zone: null, host }
  // A host that was named is taken in whatever zone it is; the server stays in one that was named with it, if that is the host's.
  if (row) return { zone: (await zoneOfHost(ctx, row.name)) === zone ? zone : null, host }
  if (!(await zoneAvailable(ctx, zone))) {
    throw new BadRequest('The requested availability zone is not available')
  }
  return { zone, host }
}

const requirePermission = (ctx: Ctx, permission: Rule) => ctx.enforce(permission)

export async function flavorOfServer(ctx: Ctx, id: string): Promise<ServerFlavor> {
  try {
    const { name, vcpus, memory_mb, root_gb, ephemeral_gb, swap, extra_specs } = await flavorFor(ctx, id)
    return { id, name, vcpus, ram: memory_mb, disk: root_gb, ephemeral: ephemeral_gb, swap, extra_specs }
  } catch (error) {
    if (error instanceof NotFound) throw new BadRequest(error.message)
    throw error
  }
}

export async function keypairOf(ctx: Ctx, name: string | undefined) {
  if (name === undefined) return undefined
  const found = await keypairs.find(ctx.db, { user_id: ctx.identity.user_id, name })
  if (!found) throw new BadRequest('Invalid key_name provided.')
  return found
}

function imageRefOf(server: ServerBody): string {
  const id = server.imageRef
  if (!id) throw new BadRequest('Invalid imageRef provided.')
  return id
}

/** A port, and an address, is one server's. */
function refuseSharedPorts(networks: NetworkRequest): void {
  if (typeof networks === 'string') return
  const refusal = (reason: string) => new BadRequest(`Failed to launch instances: ${reason}`)
  if (networks.some(({ port_id, fixed_ip }) => port_id === undefined && fixed_ip !== undefined))
    throw refusal('max_count cannot be greater than 1 if an fixed_ip is specified.')
  if (networks.some(({ port_id }) => port_id !== undefined))
    throw refusal(
      'Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.',
    )
}

function networksOf(ctx: Ctx, { networks }: ServerBody): NetworkRequest {
  if (networks === undefined || networks === 'auto') return 'auto'
  if (networks === 'none') return 'none'
  // Upstream reads an empty list as no wish at all.
  if (networks.length === 0) return 'auto'
  const ports = new Set<string>()
  return networks.map(({ uuid, port, fixed_ip, tag }) => {
    const named = { ...(tag !== undefined && ctx.atLeast('2.32') && { tag }) }
    if (port) {
      if (ports.has(port)) {
        throw new BadRequest(`Port ID '${port}' was specified twice: you cannot attach a port multiple times.`)
      }
      ports.add(port)
      if (fixed_ip !== undefined) {
        throw new BadRequest(
          `Specified Fixed IP '${fixed_ip}' cannot be used with port '${port}': the two cannot be specified together.`,
        )
      }
      return { port_id: port, ...named }
    }
    if (uuid === undefined) throw new BadRequest("Bad network format: missing 'uuid'")
    return { network_id: uuid, ...(fixed_ip !== undefined && { fixed_ip }), ...named }
  })
}
