/** Parts of the compute API that a cloud may do without, by the aliases under which extensions are listed. */

/** The operations of each; one that ends in a dot is all of a resource. */
export const optionalParts = {
  'os-admin-password': ['compute.servers.change_password'],
  'os-aggregates': ['compute.aggregates.'],
  'os-assisted-volume-snapshots': ['compute.assisted_volume_snapshots.'],
  'os-attach-interfaces': ['compute.server_interfaces.'],
  'os-availability-zone': ['compute.availability_zones.'],
  'os-baremetal-nodes': ['compute.baremetal_nodes.'],
  'os-console-auth-tokens': ['compute.console_tokens.'],
  'os-console-output': ['compute.servers.console_output'],
  'os-create-backup': ['compute.servers.create_backup'],
  'os-deferred-delete': ['compute.servers.force_delete', 'compute.servers.restore'],
  'os-evacuate': ['compute.servers.evacuate'],
  'os-flavor-access': ['compute.flavor_access.'],
  'os-flavor-extra-specs': ['compute.flavor_extra_specs.'],
  'os-flavor-manage': ['compute.flavors.create', 'compute.flavors.update', 'compute.flavors.delete'],
  'os-floating-ip-pools': ['compute.floating_ip_pools.'],
  'os-floating-ips': ['compute.floating_ips.', 'compute.servers.add_floating_ip', 'compute.servers.remove_floating_ip'],
  'os-hosts': ['compute.hosts.'],
  'os-hypervisors': ['compute.hypervisors.'],
  'os-instance-actions': ['compute.instance_actions.'],
  'os-instance_usage_audit_log': ['compute.usage_audits.'],
  'os-keypairs': ['compute.keypairs.'],
  'os-lock-server': ['compute.servers.lock', 'compute.servers.unlock'],
  'os-migrate-server': ['compute.servers.migrate', 'compute.servers.migrate_live', 'compute.servers.migrate_either'],
  'os-migrations': ['compute.migrations.'],
  'os-networks': ['compute.networks.'],
  'os-pause-server': ['compute.servers.pause', 'compute.servers.unpause'],
  'os-quota-class-sets': ['compute.quota_class_sets.'],
  'os-quota-sets': ['compute.quota_sets.'],
  'os-rescue': ['compute.servers.rescue', 'compute.servers.unrescue'],
  'os-security-groups': [
    'compute.security_groups.',
    'compute.security_group_rules.',
    'compute.server_security_groups.',
    'compute.servers.add_security_group',
    'compute.servers.remove_security_group',
  ],
  'os-server-diagnostics': ['compute.servers.diagnostics'],
  'os-server-external-events': ['compute.server_external_events.'],
  'os-server-groups': ['compute.server_groups.'],
  'os-server-password': ['compute.server_password.'],
  'os-services': ['compute.services.'],
  'os-shelve': ['compute.servers.shelve', 'compute.servers.shelve_offload', 'compute.servers.unshelve'],
  'os-simple-tenant-usage': ['compute.usages.'],
  'os-suspend-server': ['compute.servers.suspend', 'compute.servers.resume'],
  'os-tenant-networks': ['compute.tenant_networks.'],
  'os-volumes': ['compute.volumes.', 'compute.snapshots.', 'compute.volume_attachments.'],
} satisfies Record<string, string[]>

type OptionalPart = keyof typeof optionalParts

export const optionalAliases = Object.keys(optionalParts) as OptionalPart[]

/** Never of the alias of an extension, which is not loaded at all when it is turned off. */
export function isPartOf(alias: string, operation: string): boolean {
  const ids = Object.hasOwn(optionalParts, alias) ? optionalParts[alias as OptionalPart] : []
  return ids.some(one => (one.endsWith('.') ? operation.startsWith(one) : operation === one))
}
