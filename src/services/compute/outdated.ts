/** Operations that have a successor, by the beginning of their ids. */
import type { Operation } from '#kernel/operation.ts'

export const successors: Record<string, string> = {
  'compute.baremetal_nodes.': 'the bare metal API',
  'compute.floating_ip_pools.': 'the network API',
  'compute.floating_ips.': 'the network API',
  'compute.hosts.': '/os-services and /os-hypervisors',
  'compute.image_metadata.': 'the image API',
  'compute.images.': 'the image API',
  'compute.networks.': 'the network API',
  'compute.security_group_rules.': 'the network API',
  'compute.security_groups.': 'the network API',
  'compute.servers.add_fixed_ip': 'POST /servers/{server_id}/os-interface',
  'compute.servers.add_floating_ip': 'the network API',
  'compute.servers.get_serial_console': 'POST /servers/{server_id}/remote-consoles',
  'compute.servers.get_spice_console': 'POST /servers/{server_id}/remote-consoles',
  'compute.servers.get_vnc_console': 'POST /servers/{server_id}/remote-consoles',
  'compute.servers.remove_fixed_ip': 'DELETE /servers/{server_id}/os-interface/{port_id}',
  'compute.servers.remove_floating_ip': 'the network API',
  'compute.snapshots.': 'the volume API',
  'compute.tenant_networks.': 'the network API',
  'compute.volumes.': 'the volume API',
  'compute.volumes_boot.': '/servers',
}

/** The same operations; those that have a successor name it. */
export function markOutdated(operations: readonly Operation[]): Operation[] {
  const known = Object.entries(successors)
  return operations.map(one => {
    const instead = known.find(([start]) => (start.endsWith('.') ? one.id.startsWith(start) : one.id === start))?.[1]
    return instead === undefined ? one : { ...one, outdated: { ...one.outdated, '*': instead } }
  })
}
