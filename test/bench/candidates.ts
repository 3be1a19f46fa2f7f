/** How long it takes to find allocation candidates among ten thousand providers of twenty traits and three inventories each. */
import { type RequestGroup, type SearchRequest, search } from '../../src/services/placement/candidates/search.ts'
import type { Changes } from '../../src/services/placement/providers/store.ts'
import { applyChanges, emptySnapshot, type Snapshot } from '../../src/services/placement/snapshot.ts'
import { type Times, timesOf } from './timing.ts'

const providers = 10_000
const traitsEach = 20
const calls = 300

const at = '2026-01-01T00:00:00.000Z'
const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

/** Every provider has one trait of its rack (of 40), one of its row (of 4), and eighteen that all have. */
function changes(): Changes {
  const ids = Array.from({ length: providers }, (_, i) => i)
  const inventory = (i: number, resource_class: string, total: number) => ({
    ...{ provider: uuid(i), resource_class, total, reserved: 0, min_unit: 1, max_unit: total, step_size: 1 },
    ...{ allocation_ratio: 1, capacity: total, used: 0, updated_at: at },
  })
  return {
    providers: ids.map(i => ({
      ...{ uuid: uuid(i), name: `host-${i}`, parent_uuid: null, root_uuid: uuid(i), generation: 1, changed: 1 },
      ...{ created_at: at, updated_at: at },
    })),
    inventories: ids.flatMap(i => [
      inventory(i, 'VCPU', 64),
      inventory(i, 'MEMORY_MB', 262_144),
      inventory(i, 'DISK_GB', 2000),
    ]),
    traits: ids.flatMap(i =>
      [
        `CUSTOM_RACK_${i % 40}`,
        `CUSTOM_ROW_${i % 4}`,
        ...Array.from({ length: traitsEach - 2 }, (_, t) => `CUSTOM_ALL_${t}`),
      ].map(trait => ({ provider: uuid(i), trait })),
    ),
    aggregates: [],
    removed: [],
  }
}

const resources = { VCPU: 2, MEMORY_MB: 4096, DISK_GB: 20 }
const group = (required: string[], more: Partial<RequestGroup> = {}): RequestGroup => ({
  ...{ suffix: '', resources, required: required.map(trait => [trait]), forbidden: [], member_of: [] },
  ...{ forbidden_aggregates: [], ...more },
})

export const asked: [string, SearchRequest][] = [
  ['of any', { groups: [group([])], limit: 1000 }],
  ['of a quarter', { groups: [group(['CUSTOM_ALL_3', 'CUSTOM_ROW_2'])], limit: 1000 }],
  ['of one in forty', { groups: [group(['CUSTOM_ALL_3', 'CUSTOM_RACK_7'])], limit: 1000 }],
  ['of none, too big for all', { groups: [group([], { resources: { VCPU: 65 } })], limit: 1000 }],
  ['of none, all looked at', { groups: [group([], { forbidden: ['CUSTOM_ALL_3'] })], limit: 1000 }],
]

export function snapshotOf(): Snapshot {
  const snapshot = emptySnapshot()
  applyChanges(snapshot, changes())
  return snapshot
}

export function candidateTimes(): { what: string; times: Times }[] {
  const snapshot = snapshotOf()
  return asked.map(([which, request]) => {
    const took: number[] = []
    for (let i = 0; i < calls; i++) {
      const began = performance.now()
      search(snapshot, request)
      if (i >= 20) took.push(performance.now() - began)
    }
    return { what: `1,000 candidates among 10,000 providers, ${which}`, times: timesOf(took) }
  })
}
