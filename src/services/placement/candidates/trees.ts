/** The trees of providers that may meet a request: those that have what is rarest of what it asks for, in order or at random. Pure. */
import { hasRoomFor } from '../rooms.ts'
import type { Provider, Snapshot } from '../snapshot.ts'
import type { RequestGroup, SearchRequest } from './search.ts'

/**
 * Calls `look` with one tree after the other until it says false. Where it is known how much they can give, only with those that have a
 * provider with the room for each class, of what is not shared.
 */
export function eachTree(
  snapshot: Snapshot,
  request: SearchRequest,
  look: (root: string, tree: Provider[]) => boolean,
): void {
  const { trees, having } = snapshot
  const { random } = request
  const ofTree = (tree: Provider[]) => look(tree[0]!.root, tree)
  const each = (some: Provider[][]) => (random ? eachAtRandom(some, random, ofTree) : some.every(ofTree))
  const few = fewRoots(snapshot, request)
  if (!having) {
    each(few ? few.map(root => trees.get(root)!) : [...trees.values()])
    return
  }
  const { trees: all, places } = having.rooms
  const hasRoom = hasRoomFor(having.rooms, amountsOfOne(snapshot, request))
  if (few) each(few.filter(root => hasRoom(places.get(root)!)).map(root => trees.get(root)!))
  else if (random) each(all.filter((tree, place): tree is Provider[] => tree !== undefined && hasRoom(place)))
  else
    for (let place = 0; place < all.length; place++) {
      if (!hasRoom(place)) continue
      const tree = all[place]
      if (tree && !ofTree(tree)) return
    }
}

/** By class, the most that a group wants of one provider of the tree itself. */
function amountsOfOne({ sharing }: Snapshot, { groups }: SearchRequest): Map<string, number> {
  const amounts = new Map<string, number>()
  for (const { resources } of groups)
    for (const name in resources)
      if (!sharing.some(({ inventories }) => inventories.has(name)))
        amounts.set(name, Math.max(amounts.get(name) ?? 0, resources[name]!))
  return amounts
}

function eachAtRandom<T>(left: T[], random: () => number, look: (item: T) => boolean): void {
  for (let i = 0; i < left.length; i++) {
    const j = i + Math.floor(random() * (left.length - i))
    const item = left[j]!
    left[j] = left[i]!
    if (!look(item)) return
  }
}

/** The roots of the only trees that may meet it; undefined when those are most. */
function fewRoots(snapshot: Snapshot, request: SearchRequest): string[] | undefined {
  const asked = request.groups.find(group => group.in_tree && !isSharingTree(snapshot, group.in_tree))?.in_tree
  if (asked) {
    const root = snapshot.providers.get(asked)?.root
    return root === undefined ? [] : [root]
  }
  const few = rarest(snapshot, request)
  // To go through most of them by way of a set costs more than to go through all.
  if (!few || few.count * 2 > snapshot.trees.size) return undefined
  const roots = new Set<string>()
  for (const providers of few.sets) for (const provider of providers) roots.add(provider.root)
  return [...roots]
}

const isSharingTree = (snapshot: Snapshot, uuid: string) =>
  snapshot.sharing.some(p => p.root === snapshot.providers.get(uuid)?.root)

interface Few {
  /** Every tree that meets the request has a provider of one of these. */
  sets: ReadonlySet<Provider>[]
  count: number
}

const none: ReadonlySet<Provider> = new Set()

/** The fewest providers of which a tree must have one; undefined when the request asks for nothing that could tell. */
function rarest({ having, sharing }: Snapshot, { groups, root_required = [] }: SearchRequest): Few | undefined {
  if (!having) return undefined
  const { traits, aggregates, classes } = having
  let best: Few | undefined
  const consider = (byName: Map<string, Set<Provider>>, names: readonly string[]) => {
    const sets = names.map(name => byName.get(name) ?? none)
    // What a tree may also have of a provider that is shared with it says nothing of the tree.
    if (sharing.some(shared => sets.some(set => set.has(shared)))) return
    const count = sets.reduce((sum, set) => sum + set.size, 0)
    if (!best || count < best.count) best = { sets, count }
  }
  const ofGroup = ({ required, member_of, resources }: RequestGroup) => {
    for (const any of required) consider(traits, any)
    for (const any of member_of) consider(aggregates, any)
    for (const name in resources) consider(classes, [name])
  }
  groups.forEach(ofGroup)
  for (const trait of root_required) consider(traits, [trait])
  return best
}
