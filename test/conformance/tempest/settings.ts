/** tempest.conf, written from what the cloud says of itself: a feature is on when the cloud offers it, whether its tests pass or not. */
import { sections } from '../../../src/cloud.ts'
import { loadConfig } from '../../../src/kernel/config/load.ts'
import type { Operation } from '../../../src/kernel/operation.ts'
import { computeConfig } from '../../../src/services/compute/config.ts'
import { services } from '../../../src/services.ts'
import type { Admin } from '../cloud.ts'

export type Settings = Record<string, Record<string, string | number | boolean | string[]>>

export interface Kind {
  /** How many hosts it has. */
  hosts: number
  /** Whether compute's limits are those of identity. */
  unifiedLimits: boolean
  /** The disk, in qcow2, of guests that can be logged in to; without it guests are simulated. */
  guest?: string
  /** A web server with disks that the cloud may import. */
  imageSite?: string
  /** A list of disks of many formats. The cloud keeps all that is uploaded, and converts what is imported. */
  formatImages?: string
  /** The type in the catalog of another node's image service. */
  otherImageService?: string
}

/** Wrong passwords in a row, and seconds: what the cloud is started with, so that its tests need not wait long. */
export const lockout = { attempts: 2, seconds: 5 }

/** How many of a user's last passwords a new one must differ from. */
export const formerPasswords = 2

/** Where all services are. */
export const region = 'RegionOne'

export async function tempestSettings(
  admin: Admin,
  { hosts, guest, unifiedLimits, ...images }: Kind,
): Promise<Settings> {
  const offered = (type: string) => admin.serviceTypes.includes(type)
  return {
    DEFAULT: { debug: true, log_file: 'tempest.log', use_stderr: false },
    oslo_concurrency: { lock_path: 'locks' },
    auth: {
      admin_username: admin.login.username,
      admin_password: admin.login.password,
      admin_project_name: 'admin',
      admin_domain_name: 'Default',
      admin_system: 'all',
    },
    service_available: {
      nova: offered('compute'),
      neutron: offered('network'),
      glance: offered('image'),
      cinder: offered('block-storage') || offered('volume'),
      swift: offered('object-store'),
      horizon: false,
    },
    enforce_scope: { nova: true, neutron: true, glance: true, cinder: true, keystone: true, placement: true },
    identity: {
      uri_v3: admin.login.auth_url,
      region,
      user_lockout_failure_attempts: lockout.attempts,
      user_lockout_duration: lockout.seconds,
      user_unique_last_password_count: formerPasswords,
    },
    'identity-feature-enabled': {
      trust: routed('identity', /OS-TRUST/),
      access_rules: routed('identity', /access_rules/),
      security_compliance: true,
    },
    validation: { run_validation: guest !== undefined, image_ssh_user: 'root', image_alt_ssh_user: 'root' },
    ...(guest !== undefined && { scenario: { img_file: guest, img_disk_format: 'qcow2' } }),
    ...(await imageSettings(admin, images)),
    ...(await networkSettings(admin)),
    ...(await computeSettings(admin, hosts, guest !== undefined, unifiedLimits)),
    placement: await microversions(admin, 'placement', '/'),
  }
}

/** The text of an oslo.config file. */
export function configText(settings: Settings): string {
  const line = ([name, value]: [string, Settings[string][string]]) => `${name} = ${String(value)}`
  const section = ([name, values]: [string, Settings[string]]) =>
    `[${name}]\n${Object.entries(values).map(line).join('\n')}\n`
  return Object.entries(settings).map(section).join('\n')
}

const operations: readonly { type: string; operation: Operation }[] = services.flatMap(service =>
  service.operations.map(operation => ({ type: service.type, operation })),
)

const isThere = ({ id }: Operation) => !id.includes('.removed.')

const routed = (type: string, path: RegExp) =>
  operations.some(one => one.type === type && isThere(one.operation) && path.test(one.operation.path))

const actionOf = (name: string) => operations.some(({ operation }) => operation.action === name && isThere(operation))

type Images = Pick<Kind, 'imageSite' | 'formatImages' | 'otherImageService'>

async function imageSettings(
  admin: Admin,
  { imageSite: site, formatImages, otherImageService }: Images,
): Promise<Settings> {
  const { properties } = await admin.get<{ properties: Record<string, { enum?: (string | null)[] }> }>(
    'image',
    '/v2/schemas/image',
  )
  const formats = (name: string) => (properties[name]?.enum ?? []).filter(format => format !== null)
  const methods = await admin.get<{ 'import-methods': { value: string[] } }>('image', '/v2/info/import')
  const stores = await admin.get<{ stores: Record<string, string>[] }>('image', '/v2/info/stores')
  const { images } = await admin.get<{ images: object[] }>('image', '/v2/images?limit=1')
  return {
    image: {
      disk_formats: formats('disk_format'),
      container_formats: formats('container_format'),
      image_caching_enabled: true,
      ...(formatImages && { images_manifest_file: formatImages }),
      ...(otherImageService && { alternate_image_endpoint: otherImageService }),
      ...(site && { http_image: `${site}/disk.raw`, http_qcow2_image: `${site}/disk.qcow2` }),
    },
    'image-feature-enabled': {
      import_image: methods['import-methods'].value.length > 0,
      manage_locations: images[0] !== undefined && 'locations' in images[0],
      image_format_enforcement: formatImages === undefined,
      image_conversion: formatImages !== undefined,
      do_secure_hash: 'os_hash_value' in properties,
      http_store_enabled: stores.stores.some(store => store['read-only'] === 'true'),
      store_weight_enabled: stores.stores.length > 1,
    },
  }
}

async function networkSettings(admin: Admin): Promise<Settings> {
  const { extensions } = await admin.get<{ extensions: { alias: string }[] }>('network', '/v2.0/extensions')
  const outside = await admin.get<{ networks: { id: string; name: string }[] }>(
    'network',
    '/v2.0/networks?router:external=true',
  )
  const aliases = extensions.map(extension => extension.alias)
  return {
    network: { public_network_id: outside.networks[0]!.id, floating_network_name: outside.networks[0]!.name },
    'network-feature-enabled': {
      api_extensions: aliases,
      ipv6: true,
      ipv6_subnet_attributes: true,
      port_security: aliases.includes('port-security'),
      floating_ips: aliases.includes('router'),
    },
  }
}

async function computeSettings(admin: Admin, hosts: number, real: boolean, unifiedLimits: boolean): Promise<Settings> {
  const { images } = await admin.get<{ images: { id: string }[] }>('image', '/v2/images?status=active&sort=created_at')
  const { flavors } = await admin.get<{ flavors: { id: string; ram: number }[] }>('compute', '/flavors/detail')
  const [small, next] = flavors.toSorted((a, b) => a.ram - b.ram)
  const { networks } = await admin.get<{ networks: { name: string }[] }>(
    'network',
    '/v2.0/networks?router:external=false&shared=true',
  )
  return {
    compute: {
      // Its option is for one that every project of the tests sees.
      ...(networks[0] && { fixed_network_name: networks[0].name }),
      image_ref: images[0]!.id,
      image_ref_alt: images[1]!.id,
      flavor_ref: small!.id,
      flavor_ref_alt: next!.id,
      min_compute_nodes: hosts,
      hypervisor_type: real ? 'QEMU' : 'fake',
      // Simulated guests change in milliseconds; every wait would be a second long.
      build_interval: real ? 1 : 0,
      ...(await microversions(admin, 'compute', '/')),
    },
    'compute-feature-enabled': {
      change_password: actionOf('changePassword'),
      resize: actionOf('resize'),
      pause: actionOf('pause'),
      suspend: actionOf('suspend'),
      shelve: actionOf('shelve'),
      cold_migration: actionOf('migrate'),
      live_migration: actionOf('os-migrateLive'),
      live_migrate_back_and_forth: actionOf('os-migrateLive'),
      block_migration_for_live_migration: actionOf('os-migrateLive'),
      rescue: actionOf('rescue'),
      stable_rescue: actionOf('rescue'),
      snapshot: actionOf('createImage'),
      console_output: actionOf('os-getConsoleOutput'),
      vnc_console: actionOf('os-getVNCConsole'),
      serial_console: actionOf('os-getSerialConsole'),
      interface_attach: routed('compute', /\/os-interface/),
      swap_volume: routed('compute', /\/os-volume_attachments/),
      volume_multiattach: routed('compute', /\/os-volume_attachments/),
      personality: true,
      unified_limits: unifiedLimits,
      hostname_fqdn_sanitization: true,
      scheduler_enabled_filters: loadConfig(sections, {}).of(computeConfig).scheduler.filters,
      nova_policy_roles: ['admin', 'manager', 'member', 'reader', 'service'],
    },
  }
}

async function microversions(admin: Admin, type: string, path: string) {
  const found = await admin.get<{ version?: Span; versions?: Span[] }>(type, path)
  const { max_version, version } = (found.version ?? found.versions?.[0])!
  return { max_microversion: (max_version ?? version)! }
}

interface Span {
  version?: string
  max_version?: string
}
