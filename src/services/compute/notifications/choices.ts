/** Notifications of choosing hosts, and of what failed for want of one. */
import type { CellFacts, ChoiceFacts, TaskFacts } from '../choice-events.ts'
import type { PciRequest } from '../scheduler/pci.ts'
import { groupPayload } from './groups.ts'
import { type Data, exception, flavor, object } from './versioned.ts'

function requestSpec(choice: ChoiceFacts): Data {
  const { server_id, project_id, user_id, flavor: its, image, spec, ignore, count, group } = choice
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
    instance_group: group && groupPayload(group),
    numa_topology: choice.cells && topology(choice, choice.cells),
    pci_requests: object('InstancePCIRequestsPayload', '1.0', {
      instance_uuid: server_id,
      requests: choice.devices.map(device),
    }),
    requested_destination: spec.requested_host === null ? null : destination(spec.requested_host),
  })
}

const topology = ({ server_id, emulator_threads }: ChoiceFacts, cells: readonly CellFacts[]): Data =>
  object('InstanceNUMATopologyPayload', '1.0', {
    instance_uuid: server_id,
    cells: cells.map(cell),
    emulator_threads_policy: emulator_threads,
  })

/** Pages and threads that the guest leaves to its host are null; those it asks for by kind have upstream's numbers. */
const pageSizes: Record<string, number> = { small: -1, large: -2, any: -3 }

const cell = ({ id, memory_mb, page_size, shared, dedicated, policy, threads }: CellFacts): Data =>
  object('InstanceNUMACellPayload', '1.2', {
    ...{ id, cpuset: shared, pcpuset: dedicated, cpuset_reserved: null, memory: memory_mb },
    pagesize: typeof page_size === 'string' ? pageSizes[page_size] : page_size,
    cpu_topology: null,
    cpu_pinning_raw: null,
    cpu_policy: policy === 'shared' ? null : policy,
    cpu_thread_policy: threads,
  })

const device = ({ alias, count, resource_class, numa_policy }: PciRequest): Data =>
  object('InstancePCIRequestPayload', '1.1', {
    ...{ count, spec: [{ resource_class }], alias_name: alias, request_id: null, numa_policy },
  })

const destination = (host: string): Data =>
  object('DestinationPayload', '1.0', { host, node: null, cell: null, aggregates: null })

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
