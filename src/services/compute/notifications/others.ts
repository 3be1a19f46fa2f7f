/** Notifications of what is no server: aggregates, flavors, key pairs, server groups, services. */
import type { Event } from '#kernel/events/events.ts'
import type { Rendering } from '#kernel/events/notification.ts'
import type {
  AggregateFacts,
  FailureFacts,
  FlavorFacts,
  GroupFacts,
  KeypairFacts,
  ProgressFacts,
  ServiceFacts,
} from '../resource-events.ts'
import { choiceRendered, taskRendered } from './choices.ts'
import { groupPayload } from './groups.ts'
import { type Data, exception, object, seconds } from './versioned.ts'

/** What the old format calls an event, when it does not call it so as well. */
const oldNames: Record<string, string> = {
  'aggregate.add_host': 'aggregate.addhost',
  'aggregate.remove_host': 'aggregate.removehost',
  'aggregate.update_metadata': 'aggregate.updatemetadata',
  'aggregate.update_prop': 'aggregate.updateprop',
  'server_group.create': 'servergroup.create',
  'server_group.delete': 'servergroup.delete',
  'server_group.add_member': 'servergroup.addmember',
}

/** Undefined for events of other services. */
export function otherNotifications({ type, payload }: Event): Rendering[] | undefined {
  const kind = Object.hasOwn(kinds, type.split('.')[0]!) ? kinds[type.split('.')[0]!] : undefined
  if (!kind) return undefined
  const facts = type === 'aggregate.cache_images.progress' ? progress(payload as unknown as ProgressFacts) : undefined
  const { unversioned, versioned, source = 'api', host = 'api', oldName } = facts ?? kind(payload as never, type)
  const [, name = type, phase = ''] = /^(.*?)(\.(?:start|end|error))?$/.exec(type) ?? []
  return [
    ...(unversioned
      ? [
          {
            topic: 'notifications' as const,
            publisher_id: `${source}.${host}`,
            event_type: oldName ?? `${oldNames[name] ?? name}${phase}`,
            payload: unversioned,
          },
        ]
      : []),
    {
      topic: 'versioned_notifications',
      publisher_id: `nova-${source}:${host}`,
      event_type: type,
      payload: versioned,
    },
  ]
}

interface Rendered {
  /** Where that is not the type. */
  oldName?: string
  unversioned?: Data
  versioned: Data
  source?: string
  host?: string
}

const kinds: Record<string, (facts: never, type: string) => Rendered> = {
  compute: exceptionRendered,
  compute_task: taskRendered,
  scheduler: choiceRendered,
  aggregate: ({ id, uuid, name, hosts, metadata }: AggregateFacts) => ({
    unversioned: { aggregate_id: id, name, hosts, meta_data: metadata },
    versioned: object('AggregatePayload', '1.1', { id, uuid, name, hosts, metadata }),
  }),
  flavor: ({ projects, ...row }: FlavorFacts) => ({
    versioned: object('FlavorPayload', '1.4', {
      flavorid: row.id,
      name: row.name,
      memory_mb: row.memory_mb,
      vcpus: row.vcpus,
      root_gb: row.root_gb,
      ephemeral_gb: row.ephemeral_gb,
      swap: row.swap,
      rxtx_factor: row.rxtx_factor,
      vcpu_weight: 0,
      disabled: row.disabled,
      is_public: row.is_public,
      extra_specs: row.extra_specs,
      projects,
      description: row.description,
    }),
  }),
  keypair: ({ user_id, name, type, public_key, fingerprint, project_id }: KeypairFacts) => ({
    unversioned: { tenant_id: project_id, user_id, key_name: name },
    versioned: object('KeypairPayload', '1.0', { user_id, name, type, public_key, fingerprint }),
  }),
  server_group: (facts: GroupFacts) => ({
    unversioned: { server_group_id: facts.id, name: facts.name, policies: [facts.policy], metadetails: {} },
    versioned: groupPayload(facts),
  }),
  service: (row: ServiceFacts) => ({
    source: 'compute',
    host: row.host,
    versioned: object('ServiceStatusPayload', '1.1', {
      uuid: row.uuid,
      host: row.host,
      binary: 'nova-compute',
      topic: 'compute',
      disabled: row.disabled,
      disabled_reason: row.disabled_reason,
      forced_down: row.forced_down,
      availability_zone: null,
      last_seen_up: seconds(row.last_seen),
      report_count: 0,
      version: row.version,
    }),
  }),
}

/** What the old format has of it is named after what failed. */
function exceptionRendered({ operation, subject, fault }: FailureFacts): Rendered {
  return {
    source: 'compute',
    host: 'conductor',
    oldName: operation,
    unversioned: { exception: fault.message, args: { subject } },
    versioned: exception(fault),
  }
}

function progress({ id, uuid, name, host, images, index, total }: ProgressFacts): Rendered {
  const with_ = (...wanted: string[]) => Object.keys(images).filter(image => wanted.includes(images[image]!))
  const told = { host, images_cached: with_('cached', 'existing'), images_failed: with_('error', 'unsupported') }
  const data = { id, uuid, name, ...told, index, total }
  return { source: 'conductor', versioned: object('AggregateCachePayload', '1.0', data) }
}
