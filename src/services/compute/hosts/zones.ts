/** Availability zones as users choose them, and for operators with their hosts. */
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, anyone, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { body, naiveTime } from '../dialect.ts'
import { computeBinary } from './host.ts'
import { type Zone, zones } from './hosts.ts'

const zoneSchema = Type.Object({
  zoneName: Type.String(),
  zoneState: Type.Object({ available: Type.Boolean() }),
  hosts: Type.Union([Type.Null(), Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown()))]),
})

/** Zones that can be used come first. */
function ordered(all: Zone[]): Zone[] {
  return [...all.filter(zone => zone.available), ...all.filter(zone => !zone.available)]
}

function hostsOf(zone: Zone) {
  const enabled = zone.hosts.filter(host => host.enabled)
  return Object.fromEntries(
    enabled.map(host => [
      host.name,
      { [computeBinary]: { available: host.up, active: true, updated_at: naiveTime(host.last_seen) } },
    ]),
  )
}

const list = operation({
  id: 'compute.availability_zones.list',
  method: 'GET',
  path: '/v2.1/os-availability-zone',
  summary: 'List availability zones',
  policy: rule('os_compute_api:os-availability-zone:list', anyone),
  response: body('availabilityZoneInfo', Type.Array(zoneSchema)),
  async handle(ctx) {
    const all = ordered(await zones(ctx))
    return {
      availabilityZoneInfo: all.map(({ name, available }) => ({
        zoneName: name,
        zoneState: { available },
        hosts: null,
      })),
    }
  },
})

const detail = operation({
  id: 'compute.availability_zones.detail',
  method: 'GET',
  path: '/v2.1/os-availability-zone/detail',
  summary: 'List availability zones with their hosts',
  policy: rule('os_compute_api:os-availability-zone:detail', admin),
  response: body('availabilityZoneInfo', Type.Array(zoneSchema)),
  async handle(ctx) {
    const all = ordered(await zones(ctx))
    return {
      availabilityZoneInfo: all.map(zone => ({
        zoneName: zone.name,
        zoneState: { available: zone.available },
        hosts: zone.available ? hostsOf(zone) : null,
      })),
    }
  },
})

export const zoneOperations: Operation[] = [list, detail]
