/** Which trees are looked at for a request: that an index of what few have leaves none out, and what order does to the candidates. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededIds } from '#kernel/ids.ts'
import type { Changes, InventoryRow } from '../providers/store.ts'
import { applyChanges, emptySnapshot, type Snapshot } from '../snapshot.ts'
import { type RequestGroup, type SearchRequest, search } from './search.ts'

const uuid = (n: number) => `provider-${n}`
const at = '2026-01-01T00:00:00.000Z'
const sharing = 'MISC_SHARES_VIA_AGGREGATE'
const classNames = ['VCPU', 'DISK_GB', 'T1']

interface Made {
  n: number
  parent: boolean
  traits: string[]
  aggregates: string[]
  classes: Record<string, Given>
}

type Given = Pick<InventoryRow, 'capacity' | 'used' | 'min_unit' | 'max_unit' | 'step_size'>

const given = (capacity: number): Given => ({ capacity, used: 0, min_unit: 1, max_unit: capacity, step_size: 1 })

/** A provider stands alone, or below the one whose number is the next smaller multiple of four. */
function changesOf(made: Made[], removed: number[] = []): Changes {
  const rootOf = ({ n, parent }: Made) => (parent ? uuid(n - (n % 4)) : uuid(n))
  return {
    providers: made.map(one => ({
      ...{ uuid: uuid(one.n), name: uuid(one.n), generation: 1, changed: 1, created_at: at, updated_at: at },
      ...{ root_uuid: rootOf(one), parent_uuid: one.parent ? rootOf(one) : null },
    })),
    inventories: made.flatMap(({ n, classes }) =>
      Object.entries(classes).map(([resource_class, one]) => ({
        ...{ provider: uuid(n), resource_class, total: one.capacity, reserved: 0, allocation_ratio: 1, updated_at: at },
        ...one,
      })),
    ),
    traits: made.flatMap(({ n, traits }) => traits.map(trait => ({ provider: uuid(n), trait }))),
    aggregates: made.flatMap(({ n, aggregates }) => aggregates.map(aggregate => ({ provider: uuid(n), aggregate }))),
    removed: removed.map(uuid),
  }
}

const some = (names: string[]) => fc.uniqueArray(fc.constantFrom(...names), { maxLength: 2 })
const upTo = (max: number) => fc.integer({ min: 1, max })
/** More may be used than there is: when it has shrunk. */
const inventory = fc.record({
  capacity: upTo(4),
  used: fc.constantFrom(0, 0, 1, 2, 6),
  min_unit: fc.constantFrom(1, 1, 2),
  max_unit: upTo(4),
  step_size: fc.constantFrom(1, 1, 2),
})
const provider = (traitNames: string[]) =>
  fc.record({
    n: fc.integer({ min: 0, max: 15 }),
    parent: fc.boolean(),
    traits: some(traitNames),
    aggregates: some(['A1', 'A2']),
    classes: fc.dictionary(fc.constantFrom(...classNames), inventory, { maxKeys: 2 }),
  })
/** Roots are always there, so that no provider hangs in the air. In half of the clouds nothing is shared. */
const providers = fc
  .constantFrom<string[]>(['T1', 'T2'], ['T1', 'T2', sharing])
  .chain(traitNames => fc.uniqueArray(provider(traitNames), { selector: one => one.n, maxLength: 12 }))
  .map(made => {
    const whole = made.map(one => ({ ...one, parent: one.parent && one.n % 4 !== 0 }))
    const roots = [0, 4, 8, 12].filter(n => !whole.some(one => one.n === n))
    return [...roots.map(n => ({ n, parent: false, traits: [], aggregates: [], classes: {} })), ...whole]
  })
const group = (suffix: string) =>
  fc.record({
    suffix: fc.constant(suffix),
    resources: fc.dictionary(fc.constantFrom(...classNames), upTo(4), {
      minKeys: 1,
      maxKeys: 2,
    }),
    required: fc.array(fc.uniqueArray(fc.constantFrom('T1', 'T2'), { minLength: 1 }), { maxLength: 2 }),
    forbidden: fc.constantFrom<string[][]>([], ['T2']),
    member_of: fc.array(fc.uniqueArray(fc.constantFrom('A1', 'A2'), { minLength: 1 }), { maxLength: 2 }),
    forbidden_aggregates: fc.constantFrom<string[][]>([], ['A2']),
  })
const request: fc.Arbitrary<SearchRequest> = fc.record({
  groups: fc.oneof(fc.tuple(group('')), fc.tuple(group('_a')), fc.tuple(group(''), group('_a'))),
  root_required: fc.constantFrom<string[][]>([], ['T1']),
})

/** Without the tree: what only providers shared by several give is found in the first of them. */
const shown = (snapshot: Snapshot, asked: SearchRequest) =>
  search(snapshot, asked)
    .map(({ allocations, mappings }) => JSON.stringify([allocations, mappings]))
    .sort()

test('who looks only where the rarest of what is asked for is, and room for it, finds what a look at everything finds', () => {
  fc.assert(
    fc.property(providers, providers, request, (before, after, asked) => {
      const kept = emptySnapshot()
      applyChanges(kept, changesOf(before))
      const gone = before.filter(one => !after.some(other => other.n === one.n)).map(one => one.n)
      applyChanges(kept, changesOf(after, gone))
      const { having: _, ...plain } = kept
      assert.deepEqual(shown(kept, asked), shown(plain, asked))
      const fresh = emptySnapshot()
      applyChanges(fresh, changesOf(after))
      assert.deepEqual(shown(kept, asked), shown(fresh, asked), 'what changed is as if it had always been so')
    }),
    { numRuns: 400 },
  )
})

/** Hosts with two disks each, any of which will do. */
function hosts(count: number): Snapshot {
  const snapshot = emptySnapshot()
  const below = { parent: true, traits: [], aggregates: [] }
  const made = Array.from({ length: count }, (_, i): Made[] => [
    { ...below, n: i * 4, parent: false, classes: { VCPU: given(4) } },
    { ...below, n: i * 4 + 1, classes: { DISK_GB: given(10) } },
    { ...below, n: i * 4 + 2, classes: { DISK_GB: given(10) } },
  ])
  applyChanges(snapshot, changesOf(made.flat()))
  return snapshot
}

const disk: RequestGroup = {
  ...{ suffix: '', resources: { VCPU: 1, DISK_GB: 5 }, required: [], forbidden: [], member_of: [] },
  forbidden_aggregates: [],
}

test('candidates come tree by tree, or one of each tree in turn, or of any trees', () => {
  const snapshot = hosts(50)
  const roots = (more: Partial<SearchRequest>) => search(snapshot, { groups: [disk], ...more }).map(found => found.root)
  assert.deepEqual(roots({ limit: 3 }), [uuid(0), uuid(0), uuid(4)])
  assert.deepEqual(roots({ limit: 3, breadth_first: true }), [uuid(0), uuid(4), uuid(8)])
  assert.equal(roots({ breadth_first: true }).length, 100)
  assert.deepEqual(roots({ breadth_first: true }).slice(49, 51), [uuid(196), uuid(0)])
  const once = { one_per_tree: true, limit: 3 }
  for (const breadth_first of [true, false])
    assert.deepEqual(roots({ ...once, breadth_first }), [uuid(0), uuid(4), uuid(8)])
  const { random } = seededIds('candidates')
  const any = roots({ limit: 10, random })
  assert.notDeepEqual(any, roots({ limit: 10, random }))
  assert.equal(any.length, 10)
  assert.deepEqual(roots({ random }).sort(), roots({}).sort(), 'all of them, each once')
  const seen = new Set(Array.from({ length: 200 }, () => roots({ limit: 10, random })).flat())
  assert.equal(seen.size, 50, 'none is left out for ever')
})
