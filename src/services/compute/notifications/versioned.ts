/** Payloads of the versioned format: objects that say their name and version. */
import type { Event } from '#kernel/events/events.ts'
import type { AddressFacts, FaultFacts, ServerEvent, VolumeFacts } from '../events.ts'
import { fingerprintOf } from '../keypairs/keypair.ts'
import type { ServerFlavor } from '../servers/server.ts'
import { architectureOf, osTypeOf, stateOf } from './facts.ts'

export type Data = Record<string, unknown>

/** An object in the envelope that names what it is. */
export const object = (name: string, version: string, data: Data): Data => ({
  'nova_object.name': name,
  'nova_object.namespace': 'nova',
  'nova_object.version': version,
  'nova_object.data': data,
})

/** To the second, as upstream's objects write times. */
export const seconds = (iso: string | null | undefined) => (iso ? `${iso.slice(0, 19)}Z` : null)

export function versionedPayload(action: string, told: ServerEvent, event: Event): Data {
  const server = ofServer(told, event)
  const { fault = null } = told
  const acted = { ...server, fault: fault && exception(fault) }
  switch (action) {
    case 'create':
      return object('InstanceCreatePayload', '1.13', { ...acted, ...creation(told) })
    case 'update':
      return object('InstanceUpdatePayload', '2.1', { ...server, ...update(told, event) })
    case 'exists':
      return object('InstanceExistsPayload', '2.1', { ...server, audit_period: period(told.audit_period!) })
    case 'rebuild':
    case 'rebuild.scheduled': {
      const { trusted_image_certificates } = told.server
      return object('InstanceActionRebuildPayload', '1.10', { ...acted, trusted_image_certificates })
    }
    case 'rescue':
      return object('InstanceActionRescuePayload', '1.4', { ...acted, rescue_image_ref: told.rescue_image_id ?? null })
    case 'volume_attach':
    case 'volume_detach':
      return object('InstanceActionVolumePayload', '1.7', { ...acted, volume_id: told.volume_id })
    case 'volume_swap': {
      const volumes = { old_volume_id: told.volume_id, new_volume_id: told.new_volume_id }
      return object('InstanceActionVolumeSwapPayload', '1.9', { ...acted, ...volumes })
    }
    case 'resize.prep':
      return object('InstanceActionResizePrepPayload', '1.4', { ...acted, new_flavor: flavor(told.new_flavor!) })
    case 'snapshot':
      return object('InstanceActionSnapshotPayload', '1.10', {
        ...acted,
        snapshot_image_id: told.snapshot_image_id ?? null,
      })
    default:
      return object('InstanceActionPayload', '1.9', acted)
  }
}

const powerNames: Record<number, string> = {
  0: 'pending',
  1: 'running',
  3: 'paused',
  4: 'shutdown',
  6: 'crashed',
  7: 'suspended',
}

function ofServer({ server, addresses, volumes }: ServerEvent, event: Event): Data {
  return {
    uuid: server.id,
    user_id: server.user_id,
    tenant_id: server.project_id,
    reservation_id: server.reservation_id,
    display_name: server.display_name,
    display_description: server.display_description,
    host_name: server.hostname,
    host: server.host,
    node: server.node,
    os_type: osTypeOf(server),
    architecture: architectureOf(server),
    availability_zone: server.availability_zone,
    flavor: flavor(server.flavor),
    image_uuid: server.image_ref ?? '',
    key_name: server.key_name,
    kernel_id: server.image?.kernel_id ?? '',
    ramdisk_id: server.image?.ramdisk_id ?? '',
    created_at: seconds(server.created_at),
    launched_at: seconds(server.launched_at),
    terminated_at: seconds(server.terminated_at),
    deleted_at: seconds(server.terminated_at),
    updated_at: seconds(server.updated_at),
    state: stateOf(server),
    power_state: powerNames[server.power_state] ?? null,
    task_state: server.task_state,
    progress: server.progress,
    ip_addresses: addresses.map(address),
    block_devices: volumes?.map(volume) ?? null,
    metadata: server.metadata,
    locked: server.locked_by !== null,
    locked_reason: server.locked_reason,
    auto_disk_config: server.disk_config,
    request_id: event.request_id,
    action_initiator_user: event.user_id,
    action_initiator_project: event.project_id,
    shares: [],
  }
}

/** A disk that is not booted from has no place in that order. */
const volume = ({ boot_index, ...rest }: VolumeFacts): Data =>
  object('BlockDevicePayload', '1.0', { ...rest, boot_index: boot_index < 0 ? null : boot_index })

const address = ({ address: ip, version, label, mac, port_id }: AddressFacts): Data =>
  object('IpPayload', '1.0', {
    label,
    mac,
    meta: {},
    port_uuid: port_id,
    version,
    address: ip,
    device_name: `tap${port_id.slice(0, 11)}`,
  })

export function flavor({ id, name, vcpus, ram, disk, ephemeral, swap, extra_specs }: ServerFlavor): Data {
  const fixed = { disabled: false, is_public: true, rxtx_factor: 1, vcpu_weight: 0, projects: null, description: null }
  const sizes = { vcpus, memory_mb: ram, root_gb: disk, ephemeral_gb: ephemeral, swap }
  return object('FlavorPayload', '1.4', { flavorid: id, name, ...sizes, ...fixed, extra_specs })
}

export const exception = ({ exception: name, message, step, details }: FaultFacts): Data =>
  object('ExceptionPayload', '1.1', {
    module_name: 'nephos',
    function_name: step,
    exception: name,
    exception_message: message,
    traceback: details,
  })

function creation({ server, tags = [], public_key }: ServerEvent): Data {
  const { user_id, key_name, trusted_image_certificates } = server
  const key = public_key && { user_id, name: key_name ?? '', type: public_key.type, public_key: public_key.text }
  const fingerprint = key ? fingerprintOf(key.type === 'x509' ? 'x509' : 'ssh', key.public_key) : ''
  return {
    keypairs: key ? [object('KeypairPayload', '1.0', { ...key, fingerprint })] : [],
    tags,
    trusted_image_certificates,
    instance_name: `instance-${server.id.slice(0, 8)}`,
  }
}

function update({ server, tags = [], old = {} }: ServerEvent, { at }: Event): Data {
  const states = {
    old_state: old.vm_state ?? server.vm_state,
    state: server.vm_state,
    old_task_state: old.task_state === undefined ? server.task_state : old.task_state,
    new_task_state: server.task_state,
  }
  return {
    state_update: object('InstanceStateUpdatePayload', '1.0', states),
    audit_period: period({ begin: `${at.slice(0, 8)}01T00:00:00.000Z`, end: at }),
    old_display_name: old.display_name ?? null,
    tags,
  }
}

const period = ({ begin, end }: { begin: string; end: string }): Data =>
  object('AuditPeriodPayload', '1.0', { audit_period_beginning: seconds(begin), audit_period_ending: seconds(end) })
