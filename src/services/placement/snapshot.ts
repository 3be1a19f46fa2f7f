/**
 * All providers in memory, kept fresh by reading what changed since the last look.
 *
 * Why not SQL: trees, sharing, any-of traits and granular groups make queries that no planner likes, and `explain` needs every provider
 * anyway. A scan in memory answers in well under a millisecond a thousand providers on one core, and costs the database one indexed read
 * when nothing changed. It may be a moment behind other processes, which is harmless: the claim checks again under the provider's lock.
 */
import { type Ctx, type Env, perCloud } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { type Changes, changedSince, hasChangedProviders, type InventoryRow } from './providers/store.ts'
import { emptyRooms, keepRoom, type Rooms } from './rooms.ts'

export interface Provider {
  uuid: string
  name: string
  parent: string | null
  root: string
  generation: number
  updated_at: string
  inventories: Map<string, InventoryRow>
  /** Of its inventories, by class. */
  used: Record<string, number>
  /** Whether something of it is given out in other units than any number from 1 on. */
  hasUnits: boolean
  traits: Set<string>
  aggregates: Set<string>
}

export interface Snapshot {
  providers: Map<string, Provider>
  /** The providers of each tree, by the root's id; the root is not always first. */
  trees: Map<string, Provider[]>
  /** Providers that others use through an aggregate. */
  sharing: Provider[]
  /** The providers that have something, for who looks for what few have; absent in what only one transaction sees. */
  having?: Having
}

type ByName = Map<string, Set<Provider>>

export interface Having {
  traits: ByName
  aggregates: ByName
  /** By the resource class of an inventory. */
  classes: ByName
  rooms: Rooms
}

export const emptySnapshot = (): Snapshot => ({
  providers: new Map(),
  trees: new Map(),
  sharing: [],
  having: { traits: new Map(), aggregates: new Map(), classes: new Map(), rooms: emptyRooms() },
})

const sharingTrait = 'MISC_SHARES_VIA_AGGREGATE'

interface Index {
  mark: number
  snapshot: Snapshot
  /** The reading under way, and the one that waits for its end. */
  running: Promise<void> | undefined
  next: Promise<void> | undefined
}

const indexOf = perCloud<Index>(() => ({
  mark: 0,
  snapshot: emptySnapshot(),
  running: undefined,
  next: undefined,
}))

/** The providers as the caller sees them: outside of a transaction as of now, inside one with its own changes. */
export async function snapshotFor(ctx: Ctx): Promise<Snapshot> {
  const index = indexOf(ctx)
  if (!ctx.db.isTransaction) {
    await refresh(ctx, index)
    return index.snapshot
  }
  if (!hasChangedProviders(ctx.db)) {
    // It sees what everybody does. It must not wait for another reading, which may be waiting for the transaction's end: whichever of the
    // two is kept last, its mark is from before it read, so that the next one reads again what it may have missed.
    await readChanges(ctx.db, index)
    return index.snapshot
  }
  const changes = await changedSince(ctx.db, index.mark)
  if (changes.providers.length + changes.removed.length === 0) return index.snapshot
  // What a transaction has not committed must not reach the others.
  const { providers, trees, sharing } = index.snapshot
  const own: Snapshot = { providers: new Map(providers), trees: new Map(trees), sharing: [...sharing] }
  applyChanges(own, changes)
  return own
}

/** Readings follow one another, so that an older one never overwrites a newer one; callers that wait share the next. */
function refresh(env: Env, index: Index): Promise<void> {
  if (index.next) return index.next
  const read = async () => {
    await index.running?.catch(() => {})
    index.next = undefined
    index.running = readChanges(env.database.root, index)
    await index.running
  }
  index.next = read()
  return index.next
}

async function readChanges(db: Db, index: Index): Promise<void> {
  const changes = await changedSince(db, index.mark)
  applyChanges(index.snapshot, changes)
  index.mark = changes.mark
}

export function applyChanges(snapshot: Snapshot, changes: Changes): void {
  if (changes.providers.length + changes.removed.length === 0) return
  const { providers } = snapshot
  const stale = new Set<string>()
  const drop = (uuid: string) => {
    const old = providers.get(uuid)
    if (!old) return
    stale.add(old.root)
    providers.delete(uuid)
    if (snapshot.having) forget(snapshot.having, old)
    if (old.traits.has(sharingTrait)) snapshot.sharing = snapshot.sharing.filter(p => p !== old)
  }
  const inventories = Map.groupBy(changes.inventories, row => row.provider)
  const traits = Map.groupBy(changes.traits, row => row.provider)
  const aggregates = Map.groupBy(changes.aggregates, row => row.provider)
  const fresh: Provider[] = changes.providers.map(row => ({
    uuid: row.uuid,
    name: row.name,
    parent: row.parent_uuid,
    root: row.root_uuid,
    generation: row.generation,
    updated_at: row.updated_at,
    inventories: new Map((inventories.get(row.uuid) ?? []).map(inventory => [inventory.resource_class, inventory])),
    used: Object.fromEntries((inventories.get(row.uuid) ?? []).map(one => [one.resource_class, one.used])),
    hasUnits: (inventories.get(row.uuid) ?? []).some(({ min_unit, step_size }) => min_unit > 1 || step_size > 1),
    traits: new Set((traits.get(row.uuid) ?? []).map(t => t.trait)),
    aggregates: new Set((aggregates.get(row.uuid) ?? []).map(a => a.aggregate)),
  }))
  const present = new Set(changes.providers.map(row => row.uuid))
  for (const uuid of changes.removed) if (!present.has(uuid)) drop(uuid)
  replaceTrees(snapshot, fresh, stale, drop)
}

function remember({ traits, aggregates, classes }: Having, provider: Provider): void {
  const add = (byName: ByName, name: string) => {
    const known = byName.get(name)
    if (known) known.add(provider)
    else byName.set(name, new Set([provider]))
  }
  for (const name of provider.traits) add(traits, name)
  for (const name of provider.aggregates) add(aggregates, name)
  for (const name of provider.inventories.keys()) add(classes, name)
}

function forget({ traits, aggregates, classes }: Having, provider: Provider): void {
  for (const name of provider.traits) traits.get(name)?.delete(provider)
  for (const name of provider.aggregates) aggregates.get(name)?.delete(provider)
  for (const name of provider.inventories.keys()) classes.get(name)?.delete(provider)
}

function replaceTrees(snapshot: Snapshot, fresh: Provider[], stale: Set<string>, drop: (uuid: string) => void): void {
  const { providers, trees } = snapshot
  const added = Map.groupBy(fresh, provider => provider.root)
  const replaced = new Set(fresh.map(provider => provider.uuid))
  for (const provider of fresh) {
    drop(provider.uuid)
    providers.set(provider.uuid, provider)
    if (snapshot.having) remember(snapshot.having, provider)
    if (provider.traits.has(sharingTrait)) snapshot.sharing.push(provider)
  }
  for (const root of new Set([...stale, ...added.keys()])) {
    const kept = (trees.get(root) ?? []).filter(
      p => !replaced.has(p.uuid) && providers.get(p.uuid) === p && p.root === root,
    )
    const tree = [...kept, ...(added.get(root) ?? [])]
    if (tree.length === 0) trees.delete(root)
    else trees.set(root, tree)
    if (snapshot.having) keepRoom(snapshot.having.rooms, root, tree)
  }
}
