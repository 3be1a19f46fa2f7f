/** Notifications of choosing hosts, and of what failed for want of one. */
import type { ChoiceFacts, TaskFacts } from '../choice-events.ts'
import { type Data, exception, flavor, object } from './versioned.ts'

function requestSpec({ server_id, project_id, user_id, flavor: its, image, spec, ignore, count }: ChoiceFacts): Data {
  const nothing = { instance_group: null, numa_topology: null, pci_requests: null, requested_destination: null }
  return object('RequestSpecPayload', '1.1', {
    instance_uuid: server_id,
    project_id,
    user_id,
    availability_zone: spec.availability_zone,
    flavor: flavor(its),
    force_hosts: spec.requested_host === null ? null : [spec.requested_host],
    force_nodes: null,
    ignore_hosts: ignore.length === 0 ? null : ignore,
    image_meta: image && object('ImageMetaPayload', '1.0', { ...image, container_format: 'bare', status: 'active' }),
    num_instances: count,
    retry: null,
    scheduler_hints: spec.scheduler_hints,
    security_groups: [],
    limits: object('SchedulerLimitsPayload', '1.0', {
      numa_topology: null,
      vcpu: null,
      disk_gb: null,
      memory_mb: null,
    }),
    ...nothing,
  })
}

/** What the old format calls a request for hosts. */
const oldSpec = ({ server_id, project_id, user_id, flavor: its, image, count }: ChoiceFacts): Data => ({
  instance_properties: { uuid: server_id, project_id, user_id, ...sizes(its) },
  instance_type: { flavorid: its.id, name: its.name, ...sizes(its) },
  image: image ?? {},
  num_instances: count,
})

const sizes = ({ vcpus, ram, disk, ephemeral, swap }: ChoiceFacts['flavor']) => ({
  ...{ vcpus, memory_mb: ram },
  ...{ root_gb: disk, ephemeral_gb: ephemeral, swap },
})

export const choiceRendered = (facts: ChoiceFacts) => ({
  source: 'scheduler',
  host: 'scheduler',
  unversioned: { request_spec: oldSpec(facts) },
  versioned: requestSpec(facts),
})

export function taskRendered({ choice, server_id, state, fault }: TaskFacts, type: string) {
  const method = type.split('.')[1]!
  const spec = choice && oldSpec(choice)
  return {
    source: 'conductor',
    host: 'conductor',
    // Told without a phase there.
    oldName: `compute_task.${method}`,
    unversioned: {
      request_spec: spec,
      instance_properties: spec?.instance_properties,
      instance_id: server_id,
      state,
      method,
      reason: fault.message,
    },
    versioned: object('ComputeTaskPayload', '1.0', {
      instance_uuid: server_id,
      request_spec: choice && requestSpec(choice),
      state,
      reason: exception(fault),
    }),
  }
}
