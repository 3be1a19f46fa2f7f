/** Extensions: what was optional before microversions and is part of every Nova now. Clients still look for some of them. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { anyone, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { computeConfig } from '../config.ts'
import { body } from '../dialect.ts'
import { held } from '../extensions/extensions.ts'

/** Names by alias. */
const names: Record<string, string> = {
  NMN: 'Multinic',
  'OS-DCF': 'DiskConfig',
  'OS-EXT-AZ': 'ExtendedAvailabilityZone',
  'OS-EXT-IMG-SIZE': 'ImageSize',
  'OS-EXT-IPS': 'ExtendedIps',
  'OS-EXT-IPS-MAC': 'ExtendedIpsMac',
  'OS-EXT-SRV-ATTR': 'ExtendedServerAttributes',
  'OS-EXT-STS': 'ExtendedStatus',
  'OS-FLV-DISABLED': 'FlavorDisabled',
  'OS-FLV-EXT-DATA': 'FlavorExtraData',
  'OS-SCH-HNT': 'SchedulerHints',
  'OS-SRV-USG': 'ServerUsage',
  'os-access-ips': 'AccessIPs',
  'os-admin-actions': 'AdminActions',
  'os-admin-password': 'AdminPassword',
  'os-agents': 'Agents',
  'os-aggregates': 'Aggregates',
  'os-assisted-volume-snapshots': 'AssistedVolumeSnapshots',
  'os-attach-interfaces': 'AttachInterfaces',
  'os-availability-zone': 'AvailabilityZone',
  'os-baremetal-ext-status': 'BareMetalExtStatus',
  'os-baremetal-nodes': 'BareMetalNodes',
  'os-block-device-mapping': 'BlockDeviceMapping',
  'os-block-device-mapping-v2-boot': 'BlockDeviceMappingV2Boot',
  'os-cell-capacities': 'CellCapacities',
  'os-cells': 'Cells',
  'os-certificates': 'Certificates',
  'os-cloudpipe': 'Cloudpipe',
  'os-cloudpipe-update': 'CloudpipeUpdate',
  'os-config-drive': 'ConfigDrive',
  'os-console-auth-tokens': 'ConsoleAuthTokens',
  'os-console-output': 'ConsoleOutput',
  'os-consoles': 'Consoles',
  'os-create-backup': 'CreateBackup',
  'os-create-server-ext': 'Createserverext',
  'os-deferred-delete': 'DeferredDelete',
  'os-evacuate': 'Evacuate',
  'os-extended-evacuate-find-host': 'ExtendedEvacuateFindHost',
  'os-extended-floating-ips': 'ExtendedFloatingIps',
  'os-extended-hypervisors': 'ExtendedHypervisors',
  'os-extended-networks': 'ExtendedNetworks',
  'os-extended-quotas': 'ExtendedQuotas',
  'os-extended-rescue-with-image': 'ExtendedRescueWithImage',
  'os-extended-services': 'ExtendedServices',
  'os-extended-services-delete': 'ExtendedServicesDelete',
  'os-extended-status': 'ExtendedStatus',
  'os-extended-volumes': 'ExtendedVolumes',
  'os-fixed-ips': 'FixedIPs',
  'os-flavor-access': 'FlavorAccess',
  'os-flavor-extra-specs': 'FlavorExtraSpecs',
  'os-flavor-manage': 'FlavorManage',
  'os-flavor-rxtx': 'FlavorRxtx',
  'os-flavor-swap': 'FlavorSwap',
  'os-floating-ip-dns': 'FloatingIpDns',
  'os-floating-ip-pools': 'FloatingIpPools',
  'os-floating-ips': 'FloatingIps',
  'os-floating-ips-bulk': 'FloatingIpsBulk',
  'os-fping': 'Fping',
  'os-hide-server-addresses': 'HideServerAddresses',
  'os-hosts': 'Hosts',
  'os-hypervisor-status': 'HypervisorStatus',
  'os-hypervisors': 'Hypervisors',
  'os-instance-actions': 'InstanceActions',
  'os-instance_usage_audit_log': 'OSInstanceUsageAuditLog',
  'os-keypairs': 'Keypairs',
  'os-lock-server': 'LockServer',
  'os-migrate-server': 'MigrateServer',
  'os-migrations': 'Migrations',
  'os-multiple-create': 'MultipleCreate',
  'os-networks': 'Networks',
  'os-networks-associate': 'NetworkAssociationSupport',
  'os-pause-server': 'PauseServer',
  'os-personality': 'Personality',
  'os-preserve-ephemeral-rebuild': 'PreserveEphemeralOnRebuild',
  'os-quota-class-sets': 'QuotaClasses',
  'os-quota-sets': 'Quotas',
  'os-rescue': 'Rescue',
  'os-security-group-default-rules': 'SecurityGroupDefaultRules',
  'os-security-groups': 'SecurityGroups',
  'os-server-diagnostics': 'ServerDiagnostics',
  'os-server-external-events': 'ServerExternalEvents',
  'os-server-group-quotas': 'ServerGroupQuotas',
  'os-server-groups': 'ServerGroups',
  'os-server-list-multi-status': 'ServerListMultiStatus',
  'os-server-password': 'ServerPassword',
  'os-server-sort-keys': 'ServerSortKeys',
  'os-server-start-stop': 'ServerStartStop',
  'os-services': 'Services',
  'os-shelve': 'Shelve',
  'os-simple-tenant-usage': 'SimpleTenantUsage',
  'os-software': 'Software',
  'os-suspend-server': 'SuspendServer',
  'os-tenant-networks': 'OSTenantNetworks',
  'os-used-limits': 'UsedLimits',
  'os-used-limits-for-admin': 'UsedLimitsForAdmin',
  'os-user-data': 'UserData',
  'os-user-quotas': 'UserQuotas',
  'os-virtual-interfaces': 'VirtualInterfaces',
  'os-volume-attachment-update': 'VolumeAttachmentUpdate',
  'os-volumes': 'Volumes',
}

const extensionSchema = Type.Object({
  alias: Type.String(),
  name: Type.String(),
  description: Type.String(),
  namespace: Type.String(),
  updated: Type.String(),
  links: Type.Array(Type.Unknown()),
})

/** Aliases that extensions of operators cannot have. */
export const extensionAliases = Object.keys(names)

interface Part {
  alias: string
  name: string
  description: string
  updated: string
}

function view({ alias, name, description, updated }: Part) {
  const namespace = 'http://docs.openstack.org/compute/ext/fake_xml'
  return { alias, name, description, namespace, updated, links: [] }
}

/** What this cloud has. */
function present(ctx: Ctx): Part[] {
  const off = ctx.config.of(computeConfig).disabled_parts
  const own = Object.entries(names).filter(([alias]) => !off.includes(alias))
  const updated = '2014-12-03T00:00:00Z'
  return [...own.map(([alias, name]) => ({ alias, name, description: name, updated })), ...held(ctx).loaded.extensions]
}

const policy = rule('os_compute_api:extensions', anyone)

const list = operation({
  id: 'compute.extensions.list',
  method: 'GET',
  path: '/v2.1/extensions',
  summary: 'List extensions',
  policy,
  response: body('extensions', Type.Array(extensionSchema)),
  handle: async ctx => ({ extensions: present(ctx).map(view) }),
})

const show = operation({
  id: 'compute.extensions.show',
  method: 'GET',
  path: '/v2.1/extensions/{alias}',
  summary: 'Show an extension',
  policy,
  response: body('extension', extensionSchema),
  async handle(ctx, { params: { alias } }) {
    const found = present(ctx).find(one => one.alias === alias)
    if (!found) throw new NotFound()
    return { extension: view(found) }
  },
})

export const extensionOperations: Operation[] = [list, show]
