/** The network service's tables. */
import { type CreateTableBuilder, sql } from 'kysely'
import type { Migration, SchemaDb } from '#kernel/db/migrate.ts'

/** Members that every resource has. */
function resourceTable(db: SchemaDb, table: string): CreateTableBuilder<string, string> {
  return db.schema
    .createTable(table)
    .addColumn('id', 'text', c => c.primaryKey())
    .addColumn('project_id', 'text', c => c.notNull())
    .addColumn('description', 'text', c => c.notNull())
    .addColumn('tags', 'text', c => c.notNull())
    .addColumn('created_at', 'text', c => c.notNull())
    .addColumn('updated_at', 'text', c => c.notNull())
    .addColumn('revision_number', 'integer', c => c.notNull())
}

async function index(db: SchemaDb, table: string, columns: string[]): Promise<void> {
  await db.schema
    .createIndex(`${table}_by_${columns.join('_')}`)
    .on(table)
    .columns(columns)
    .execute()
}

async function networks(db: SchemaDb): Promise<void> {
  await resourceTable(db, 'network_networks')
    .addColumn('name', 'text', c => c.notNull())
    .addColumn('admin_state_up', 'integer', c => c.notNull())
    .addColumn('status', 'text', c => c.notNull())
    .addColumn('shared', 'integer', c => c.notNull())
    .addColumn('external', 'integer', c => c.notNull())
    .addColumn('is_default', 'integer', c => c.notNull())
    .addColumn('mtu', 'integer', c => c.notNull())
    .addColumn('port_security_enabled', 'integer', c => c.notNull())
    .addColumn('network_type', 'text', c => c.notNull())
    .addColumn('physical_network', 'text')
    .addColumn('segmentation_id', 'integer')
    // What no two networks may share on the wire: the tunnel's number, or the physical network with its VLAN.
    .addColumn('segment_key', 'text', c => c.notNull().unique())
    .addColumn('segment', 'integer', c => c.notNull().unique())
    .addColumn('dns_domain', 'text', c => c.notNull())
    .addColumn('availability_zone_hints', 'text', c => c.notNull())
    .execute()
  await index(db, 'network_networks', ['project_id'])
  await resourceTable(db, 'network_subnets')
    .addColumn('network_id', 'text', c => c.notNull().references('network_networks.id'))
    .addColumn('name', 'text', c => c.notNull())
    .addColumn('ip_version', 'integer', c => c.notNull())
    .addColumn('cidr', 'text', c => c.notNull())
    .addColumn('gateway_ip', 'text')
    .addColumn('enable_dhcp', 'integer', c => c.notNull())
    .addColumn('dns_nameservers', 'text', c => c.notNull())
    .addColumn('host_routes', 'text', c => c.notNull())
    .addColumn('allocation_pools', 'text', c => c.notNull())
    .addColumn('ipv6_address_mode', 'text')
    .addColumn('ipv6_ra_mode', 'text')
    .addColumn('service_types', 'text', c => c.notNull())
    .addColumn('subnetpool_id', 'text')
    .addColumn('dns_publish_fixed_ip', 'integer', c => c.notNull())
    .execute()
  await index(db, 'network_subnets', ['network_id'])
  await index(db, 'network_subnets', ['project_id'])
}

async function ports(db: SchemaDb): Promise<void> {
  await resourceTable(db, 'network_ports')
    .addColumn('network_id', 'text', c => c.notNull().references('network_networks.id'))
    .addColumn('name', 'text', c => c.notNull())
    .addColumn('mac_address', 'text', c => c.notNull())
    .addColumn('admin_state_up', 'integer', c => c.notNull())
    .addColumn('status', 'text', c => c.notNull())
    .addColumn('device_id', 'text', c => c.notNull())
    .addColumn('device_owner', 'text', c => c.notNull())
    .addColumn('port_security_enabled', 'integer', c => c.notNull())
    .addColumn('allowed_address_pairs', 'text', c => c.notNull())
    .addColumn('extra_dhcp_opts', 'text', c => c.notNull())
    .addColumn('binding_host_id', 'text', c => c.notNull())
    .addColumn('binding_vnic_type', 'text', c => c.notNull())
    .addColumn('binding_profile', 'text', c => c.notNull())
    .addColumn('dns_name', 'text', c => c.notNull())
    .addColumn('dns_domain', 'text', c => c.notNull())
    .addColumn('propagate_uplink_status', 'integer', c => c.notNull())
    // How compute sees the port: its place among the server's, its device tag, and who made it.
    .addColumn('server_index', 'integer')
    .addColumn('server_tag', 'text')
    .addColumn('made_by_compute', 'integer', c => c.notNull())
    .addColumn('tap', 'text')
    .addUniqueConstraint('network_ports_mac', ['network_id', 'mac_address'])
    .execute()
  for (const column of ['project_id', 'device_id', 'binding_host_id']) await index(db, 'network_ports', [column])
  await db.schema
    .createTable('network_ip_allocations')
    .addColumn('subnet_id', 'text', c => c.notNull().references('network_subnets.id'))
    .addColumn('ip_address', 'text', c => c.notNull())
    .addColumn('network_id', 'text', c => c.notNull())
    .addColumn('port_id', 'text', c => c.notNull().references('network_ports.id'))
    .addColumn('position', 'integer', c => c.notNull())
    .addPrimaryKeyConstraint('network_ip_allocations_address', ['subnet_id', 'ip_address'])
    .execute()
  await index(db, 'network_ip_allocations', ['port_id'])
  await index(db, 'network_ip_allocations', ['network_id', 'ip_address'])
}

async function securityGroups(db: SchemaDb): Promise<void> {
  await resourceTable(db, 'network_security_groups')
    .addColumn('name', 'text', c => c.notNull())
    .addColumn('stateful', 'integer', c => c.notNull())
    .addColumn('is_default', 'integer', c => c.notNull())
    .execute()
  await index(db, 'network_security_groups', ['project_id'])
  await sql`create unique index network_security_groups_default on network_security_groups (project_id) where is_default = 1`.execute(
    db,
  )
  await resourceTable(db, 'network_security_group_rules')
    .addColumn('security_group_id', 'text', c => c.notNull().references('network_security_groups.id'))
    .addColumn('direction', 'text', c => c.notNull())
    .addColumn('ethertype', 'text', c => c.notNull())
    .addColumn('protocol', 'text')
    .addColumn('port_range_min', 'integer')
    .addColumn('port_range_max', 'integer')
    .addColumn('remote_ip_prefix', 'text')
    .addColumn('remote_group_id', 'text')
    .addColumn('remote_address_group_id', 'text')
    // Everything that makes two rules of a group the same, as text: nulls are equal here.
    .addColumn('fingerprint', 'text', c => c.notNull())
    .addUniqueConstraint('network_security_group_rules_once', ['security_group_id', 'fingerprint'])
    .execute()
  await index(db, 'network_security_group_rules', ['remote_group_id'])
  await db.schema
    .createTable('network_port_security_groups')
    .addColumn('port_id', 'text', c => c.notNull().references('network_ports.id'))
    .addColumn('security_group_id', 'text', c => c.notNull().references('network_security_groups.id'))
    .addPrimaryKeyConstraint('network_port_security_groups_pk', ['port_id', 'security_group_id'])
    .execute()
  await index(db, 'network_port_security_groups', ['security_group_id'])
}

async function routers(db: SchemaDb): Promise<void> {
  await resourceTable(db, 'network_routers')
    .addColumn('name', 'text', c => c.notNull())
    .addColumn('admin_state_up', 'integer', c => c.notNull())
    .addColumn('status', 'text', c => c.notNull())
    .addColumn('gateway_port_id', 'text')
    .addColumn('gateway_network_id', 'text')
    .addColumn('enable_snat', 'integer', c => c.notNull())
    .addColumn('routes', 'text', c => c.notNull())
    .addColumn('host', 'text')
    .addColumn('availability_zone_hints', 'text', c => c.notNull())
    .execute()
  await index(db, 'network_routers', ['project_id'])
  await resourceTable(db, 'network_floating_ips')
    .addColumn('floating_network_id', 'text', c => c.notNull())
    .addColumn('floating_ip_address', 'text', c => c.notNull())
    .addColumn('floating_port_id', 'text', c => c.notNull().references('network_ports.id'))
    .addColumn('fixed_port_id', 'text')
    .addColumn('fixed_ip_address', 'text')
    .addColumn('router_id', 'text')
    .addColumn('status', 'text', c => c.notNull())
    .addColumn('dns_name', 'text', c => c.notNull())
    .addColumn('dns_domain', 'text', c => c.notNull())
    .addUniqueConstraint('network_floating_ips_address', ['floating_network_id', 'floating_ip_address'])
    .addUniqueConstraint('network_floating_ips_fixed', ['floating_network_id', 'fixed_port_id', 'fixed_ip_address'])
    .execute()
  for (const column of ['project_id', 'fixed_port_id', 'router_id', 'floating_port_id'])
    await index(db, 'network_floating_ips', [column])
}

async function rbac(db: SchemaDb): Promise<void> {
  await resourceTable(db, 'network_rbac_policies')
    .addColumn('object_type', 'text', c => c.notNull())
    .addColumn('object_id', 'text', c => c.notNull().references('network_networks.id'))
    .addColumn('action', 'text', c => c.notNull())
    .addColumn('target_tenant', 'text', c => c.notNull())
    .addUniqueConstraint('network_rbac_policies_once', ['object_id', 'action', 'target_tenant'])
    .execute()
  await index(db, 'network_rbac_policies', ['project_id'])
  await index(db, 'network_rbac_policies', ['target_tenant'])
}

async function subnetPools(db: SchemaDb): Promise<void> {
  await resourceTable(db, 'network_subnet_pools')
    .addColumn('name', 'text', c => c.notNull())
    .addColumn('ip_version', 'integer', c => c.notNull())
    .addColumn('prefixes', 'text', c => c.notNull())
    .addColumn('default_prefixlen', 'integer', c => c.notNull())
    .addColumn('min_prefixlen', 'integer', c => c.notNull())
    .addColumn('max_prefixlen', 'integer', c => c.notNull())
    .addColumn('default_quota', 'integer')
    .addColumn('shared', 'integer', c => c.notNull())
    .addColumn('is_default', 'integer', c => c.notNull())
    .execute()
  await index(db, 'network_subnet_pools', ['project_id'])
  await index(db, 'network_subnets', ['subnetpool_id'])
}

async function topologies(db: SchemaDb): Promise<void> {
  await db.schema
    .createTable('network_topologies')
    .addColumn('project_id', 'text', c => c.primaryKey())
    .addColumn('network_id', 'text', c => c.notNull())
    .addColumn('router_id', 'text', c => c.notNull())
    .execute()
}

async function hosts(db: SchemaDb): Promise<void> {
  await db.schema
    .createTable('network_quotas')
    .addColumn('project_id', 'text', c => c.notNull())
    .addColumn('resource', 'text', c => c.notNull())
    .addColumn('quota', 'integer', c => c.notNull())
    .addPrimaryKeyConstraint('network_quotas_pk', ['project_id', 'resource'])
    .execute()
  await db.schema
    .createTable('network_revision')
    .addColumn('id', 'integer', c => c.primaryKey())
    .addColumn('revision', 'bigint', c => c.notNull())
    .execute()
  await sql`insert into network_revision (id, revision) values (1, 1)`.execute(db)
  await db.schema
    .createTable('network_hosts')
    .addColumn('host', 'text', c => c.primaryKey())
    .addColumn('plane', 'text', c => c.notNull())
    .addColumn('extensions', 'text', c => c.notNull())
    .addColumn('problems', 'text', c => c.notNull())
    .addColumn('applied_revision', 'bigint', c => c.notNull())
    .addColumn('started_at', 'text', c => c.notNull())
    .addColumn('heartbeat_at', 'text', c => c.notNull())
    .execute()
  await db.schema
    .createTable('network_agents')
    .addColumn('id', 'text', c => c.primaryKey())
    .addColumn('host', 'text', c => c.notNull().references('network_hosts.host'))
    .addColumn('agent_type', 'text', c => c.notNull())
    .addColumn('admin_state_up', 'integer', c => c.notNull())
    .addColumn('description', 'text', c => c.notNull())
    .addColumn('created_at', 'text', c => c.notNull())
    .addUniqueConstraint('network_agents_once', ['host', 'agent_type'])
    .execute()
}

export const initial: Migration = {
  name: '0001-initial',
  async up(db) {
    await networks(db)
    await ports(db)
    await securityGroups(db)
    await routers(db)
    await rbac(db)
    await subnetPools(db)
    await topologies(db)
    await hosts(db)
  },
}
