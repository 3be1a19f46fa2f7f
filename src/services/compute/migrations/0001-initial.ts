/** Servers: the tables of a cell, and the global ones about where each server is and why. */
import type { Migration } from '#kernel/db/migrate.ts'

export const initial: Migration = {
  name: '0001-initial',
  async up(db) {
    await db.schema
      .createTable('compute_servers')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('project_id', 'text', c => c.notNull())
      .addColumn('user_id', 'text', c => c.notNull())
      .addColumn('reservation_id', 'text', c => c.notNull())
      .addColumn('launch_index', 'integer', c => c.notNull())
      .addColumn('display_name', 'text', c => c.notNull())
      .addColumn('display_description', 'text')
      .addColumn('hostname', 'text', c => c.notNull())
      .addColumn('host', 'text')
      .addColumn('node', 'text')
      .addColumn('availability_zone', 'text')
      .addColumn('image', 'text')
      .addColumn('image_ref', 'text')
      .addColumn('flavor', 'text', c => c.notNull())
      .addColumn('flavor_id', 'text', c => c.notNull())
      .addColumn('vcpus', 'integer', c => c.notNull())
      .addColumn('memory_mb', 'integer', c => c.notNull())
      .addColumn('vm_state', 'text', c => c.notNull())
      .addColumn('task_state', 'text')
      .addColumn('power_state', 'integer', c => c.notNull())
      .addColumn('progress', 'integer', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .addColumn('launched_at', 'text')
      .addColumn('key_name', 'text')
      .addColumn('config_drive', 'integer', c => c.notNull())
      .addColumn('metadata', 'text', c => c.notNull())
      .addColumn('access_ip_v4', 'text')
      .addColumn('access_ip_v6', 'text')
      .addColumn('locked_by', 'text')
      .addColumn('locked_reason', 'text')
      .addColumn('root_device_name', 'text', c => c.notNull())
      .addColumn('disk_config', 'text', c => c.notNull())
      .addColumn('trusted_image_certificates', 'text')
      .addColumn('fault', 'text')
      .execute()
    await db.schema
      .createIndex('compute_servers_list')
      .on('compute_servers')
      .columns(['project_id', 'created_at', 'id'])
      .execute()
    await db.schema
      .createIndex('compute_servers_host')
      .on('compute_servers')
      .columns(['host', 'vcpus', 'memory_mb'])
      .execute()
    await db.schema
      .createIndex('compute_servers_usage')
      .on('compute_servers')
      .columns(['project_id', 'vcpus', 'memory_mb'])
      .execute()
    // What only the guest and its owner read, kept apart because it may be large.
    await db.schema
      .createTable('compute_server_guest_data')
      .addColumn('server_id', 'text', c => c.primaryKey())
      .addColumn('user_data', 'text')
      .addColumn('public_key', 'text')
      .addColumn('key_type', 'text')
      .addColumn('admin_password', 'text')
      .addColumn('personality', 'text')
      .execute()
    await db.schema
      .createTable('compute_server_tags')
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('tag', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_server_tags_pk', ['server_id', 'tag'])
      .execute()
    await db.schema.createIndex('compute_server_tags_tag').on('compute_server_tags').column('tag').execute()

    await db.schema
      .createTable('compute_server_mappings')
      .addColumn('server_id', 'text', c => c.primaryKey())
      .addColumn('cell', 'text', c => c.notNull())
      .addColumn('project_id', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createTable('compute_request_specs')
      .addColumn('server_id', 'text', c => c.primaryKey())
      .addColumn('spec', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createTable('compute_server_explanations')
      .addColumn('server_id', 'text', c => c.primaryKey())
      .addColumn('at', 'text', c => c.notNull())
      .addColumn('report', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createTable('compute_host_cleanups')
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('host', 'text', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_host_cleanups_pk', ['server_id', 'host'])
      .execute()
    await db.schema.createIndex('compute_host_cleanups_host').on('compute_host_cleanups').column('host').execute()
  },
}
