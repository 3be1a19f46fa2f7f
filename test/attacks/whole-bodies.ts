/** Bodies that a cloud takes, for operations whose bodies no schema makes up: they name things that must be there. */
import { tiny } from '../../src/services/compute/servers/fixtures/world.ts'
import { nobody } from './surface.ts'

export function wholeBodies(ids: Record<string, string>, publicKey: string): Record<string, object> {
  const network_id = ids.networks
  const rule = {
    security_group_id: ids['security-groups'],
    direction: 'ingress',
    ethertype: 'IPv4',
    protocol: 'tcp',
    port_range_min: 1,
    port_range_max: 2,
    remote_ip_prefix: '10.0.0.0/8',
    description: 'd',
  }
  const network = {
    name: 'n',
    description: 'd',
    mtu: 1400,
    dns_domain: 'ex.org.',
    shared: false,
    admin_state_up: true,
    port_security_enabled: true,
    'provider:network_type': 'vxlan',
    'provider:segmentation_id': 77,
    availability_zone_hints: [],
  }
  const subnet = (net: string) => ({
    name: 's',
    description: 'd',
    gateway_ip: `${net}.1`,
    allocation_pools: [{ start: `${net}.2`, end: `${net}.99` }],
    dns_nameservers: ['10.1.1.1'],
    host_routes: [{ destination: '10.3.0.0/24', nexthop: `${net}.3` }],
    enable_dhcp: true,
    service_types: ['network:floatingip'],
  })
  const port = {
    name: 'p',
    description: 'd',
    mac_address: 'fa:16:3e:00:11:22',
    fixed_ips: [{ subnet_id: ids.subnets, ip_address: '10.9.0.77' }],
    device_id: 'x',
    device_owner: 'y',
    security_groups: [ids['security-groups']],
    allowed_address_pairs: [{ ip_address: '10.9.0.78', mac_address: 'fa:16:3e:00:11:23' }],
    extra_dhcp_opts: [{ opt_name: 'mtu', opt_value: '1400', ip_version: 4 }],
    'binding:host_id': 'h1',
    'binding:vnic_type': 'normal',
    dns_name: 'p',
    port_security_enabled: true,
  }
  const router = { name: 'r', description: 'd', admin_state_up: true, distributed: false, ha: false }
  const server = {
    name: 's',
    imageRef: tiny,
    flavorRef: '42',
    networks: [{ uuid: network_id, fixed_ip: '10.9.0.99' }],
    metadata: { a: 'b' },
    user_data: 'YQ==',
    config_drive: true,
    security_groups: [{ name: 'default' }],
    description: 'd',
    tags: ['t'],
    min_count: 1,
    max_count: 1,
    adminPass: 'abc',
    availability_zone: 'nova',
    hostname: 'h',
    'OS-DCF:diskConfig': 'AUTO',
  }
  const inventory = { total: 8, reserved: 0, min_unit: 1, max_unit: 8, step_size: 1, allocation_ratio: 1 }
  return {
    'network.networks.create': { network },
    'network.networks.update': { network: { name: 'n', description: 'd', mtu: 1400, dns_domain: 'ex.org.' } },
    'network.subnets.create': { subnet: { ...subnet('10.77.0'), network_id, ip_version: 4, cidr: '10.77.0.0/24' } },
    'network.subnets.update': { subnet: subnet('10.9.0') },
    'network.subnetpools.create': {
      subnetpool: { name: 'p', prefixes: ['10.0.0.0/8'], min_prefixlen: 20, max_prefixlen: 28, default_prefixlen: 24 },
    },
    'network.ports.create': { port: { ...port, network_id } },
    'network.ports.update': {
      port: {
        ...port,
        mac_address: 'fa:16:3e:00:11:24',
        fixed_ips: [{ subnet_id: ids.subnets, ip_address: '10.9.0.78' }],
      },
    },
    'network.routers.create': { router },
    'network.routers.update': { router },
    'network.routers.add_interface': { subnet_id: ids.subnets },
    'network.routers.remove_interface': { subnet_id: ids.subnets },
    'network.routers.add_extraroutes': { router: { routes: [] } },
    'network.security_groups.create': { security_group: { name: 'g', description: 'd', stateful: true } },
    'network.security_groups.update': { security_group: { name: 'g', description: 'd' } },
    'network.security_group_rules.create': { security_group_rule: rule },
    'network.rbac_policies.create': {
      rbac_policy: {
        object_type: 'network',
        object_id: network_id,
        action: 'access_as_shared',
        target_tenant: 'f'.repeat(32),
      },
    },
    'network.quotas.update': { quota: { network: 100, port: 100 } },
    'network.networks.replace_tags': { tags: ['a', 'b'] },
    'compute.servers.create': { server },
    'compute.servers.update': {
      server: { name: 's', accessIPv4: '10.1.1.1', accessIPv6: '2001:db8::1', description: 'd' },
    },
    'compute.keypairs.create': { keypair: { name: 'other', type: 'ssh', public_key: publicKey } },
    'placement.resource_providers.create': { name: 'rp', uuid: nobody },
    'placement.inventories.replace': { resource_provider_generation: 0, inventories: { VCPU: inventory } },
    'placement.allocations.replace': {
      project_id: 'p',
      user_id: 'u',
      consumer_generation: 1,
      consumer_type: 'INSTANCE',
      allocations: { [nobody]: { resources: { VCPU: 1 } } },
    },
    'image.images.create': {
      name: 'i',
      disk_format: 'raw',
      container_format: 'bare',
      min_disk: 1,
      min_ram: 1,
      tags: ['a'],
      anything: 'b',
    },
  }
}
