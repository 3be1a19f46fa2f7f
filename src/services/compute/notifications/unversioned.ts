/** The payload of the old format: one flat object. */
import type { ServerEvent } from '../events.ts'
import { architectureOf, osTypeOf, stateOf } from './facts.ts'

/** As upstream's database writes times. */
const spoken = (iso: string) => `${iso.slice(0, 10)} ${iso.slice(11, 19)}+00:00`
const precise = (iso: string | null | undefined) => (iso ? `${iso.slice(0, 23)}000` : '')

export function unversionedPayload(action: string, told: ServerEvent): Record<string, unknown> {
  const { fault } = told
  return {
    ...ofServer(told),
    ...(action !== 'update' && { fixed_ips: addresses(told) }),
    ...(fault && { exception: { kwargs: {}, type: fault.exception }, message: fault.message, code: 500 }),
    ...(action === 'snapshot' && { snapshot_image_id: told.snapshot_image_id }),
    ...(told.volume_id !== undefined && { volume_id: told.volume_id }),
    ...(action === 'rescue' && { rescue_image_name: told.rescue_image_id }),
    ...(action === 'resize.prep' && {
      new_instance_type: told.new_flavor?.name,
      new_instance_type_id: told.new_flavor_number ?? null,
    }),
    ...(action === 'update' && changes(told)),
    ...(told.audit_period && {
      audit_period_beginning: precise(told.audit_period.begin),
      audit_period_ending: precise(told.audit_period.end),
      bandwidth: {},
    }),
  }
}

function ofServer({ server, flavor_number, image_url }: ServerEvent): Record<string, unknown> {
  const { flavor, image } = server
  return {
    tenant_id: server.project_id,
    user_id: server.user_id,
    instance_id: server.id,
    display_name: server.display_name,
    reservation_id: server.reservation_id,
    hostname: server.hostname,
    instance_type: flavor.name,
    instance_type_id: flavor_number ?? null,
    instance_flavor_id: flavor.id,
    architecture: architectureOf(server),
    memory_mb: flavor.ram,
    disk_gb: flavor.disk + flavor.ephemeral,
    vcpus: flavor.vcpus,
    root_gb: flavor.disk,
    ephemeral_gb: flavor.ephemeral,
    host: server.host,
    node: server.node,
    availability_zone: server.availability_zone,
    cell_name: '',
    created_at: spoken(server.created_at),
    terminated_at: precise(server.terminated_at),
    deleted_at: precise(server.terminated_at),
    launched_at: precise(server.launched_at),
    image_ref_url: image_url,
    os_type: osTypeOf(server),
    kernel_id: image?.kernel_id ?? '',
    ramdisk_id: image?.ramdisk_id ?? '',
    state: stateOf(server),
    state_description: server.task_state ?? '',
    progress: server.progress || '',
    access_ip_v4: server.access_ip_v4,
    access_ip_v6: server.access_ip_v6,
    image_meta: image
      ? {
          ...image.properties,
          base_image_ref: image.id,
          container_format: 'bare',
          disk_format: image.disk_format,
          min_disk: String(image.min_disk),
          min_ram: String(image.min_ram),
        }
      : {},
    metadata: server.metadata,
  }
}

const addresses = (told: ServerEvent) =>
  told.addresses.map(({ address, version, label, mac }) => ({
    address,
    type: 'fixed',
    version,
    meta: {},
    floating_ips: [],
    label,
    vif_mac: mac,
  }))

function changes({ server, old = {} }: ServerEvent): Record<string, unknown> {
  return {
    old_state: old.vm_state ?? server.vm_state,
    old_task_state: old.task_state === undefined ? server.task_state : old.task_state,
    new_task_state: server.task_state,
    ...(old.display_name !== undefined && { old_display_name: old.display_name }),
  }
}
