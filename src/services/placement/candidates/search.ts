/** Finds the ways in which a request can be met: pure, over a snapshot. */
import { hasRoom } from '../inventories/inventory.ts'
import type { InventoryRow } from '../providers/store.ts'
import type { Provider, Snapshot } from '../snapshot.ts'
import { type Found, FoundAlone, FoundWays, type Way } from './found.ts'
import { type Budget, eachWay } from './product.ts'
import { eachTree } from './trees.ts'

/** What one group of a request wants. The group with the empty suffix may be spread over a tree; any other is met by one provider. */
export interface RequestGroup {
  suffix: string
  resources: Record<string, number>
  /** Of each inner list at least one. */
  required: string[][]
  forbidden: string[]
  /** In at least one aggregate of each inner list. */
  member_of: string[][]
  forbidden_aggregates: string[]
  /** Only providers of this provider's tree. */
  in_tree?: string | undefined
}

export interface SearchRequest {
  groups: RequestGroup[]
  /** Groups with a suffix must be met by different providers. */
  isolate?: boolean
  root_required?: string[]
  root_forbidden?: string[]
  /** The providers of the groups of each inner list are all below, or are, one of them. */
  same_subtree?: string[][]
  /** No two providers of one tree, as before nested providers were known. */
  flat?: boolean
  limit?: number | undefined
  /** A number in [0, 1) at each call: trees are looked at in no order, so that not all take the same ones. */
  random?: (() => number) | undefined
  /** One way of each tree before the second of any. */
  breadth_first?: boolean | undefined
  /** One way of each tree, and no second. */
  one_per_tree?: boolean
}

/** At most so many ways a tree, however many there are: a request must not be able to ask for millions. */
const maxWaysPerTree = 1000
/** Choices looked at, for one tree and for all of them: about a second at the worst. */
const stepsPerTree = 50_000
const stepsInAll = 1_000_000

export function search(snapshot: Snapshot, request: SearchRequest): Found[] {
  const { limit = Number.POSITIVE_INFINITY, one_per_tree = false } = request
  const inTurn = request.breadth_first && !one_per_tree
  const found: Found[] = []
  /** How many there were after each tree. */
  const ends: number[] = []
  const seen = new Set<string>()
  const alone = aloneIn(snapshot, request)
  const anyRoot = !request.root_required?.length && !request.root_forbidden?.length
  let steps = stepsInAll
  const goesOn = () => inTurn || found.length < limit
  eachTree(snapshot, request, (root, tree) => {
    if (!anyRoot && !rootFits(snapshot.providers.get(root), request)) return true
    if (alone && tree.length === 1) {
      const [provider] = tree as [Provider]
      // Of those that are looked at, each has the room where that is known, its units aside.
      const isRoomy = snapshot.having !== undefined && !provider.hasUnits
      if (!(isRoomy ? suits : meets)(snapshot, provider, root, alone)) return true
      found.push(new FoundAlone(provider, alone))
    } else {
      const budget = { steps: Math.min(stepsPerTree, steps) }
      const before = budget.steps
      waysInTree(snapshot, root, tree, request, budget, way => {
        // What only sharing providers give can be had from several trees.
        const key = snapshot.sharing.length > 0 ? JSON.stringify([way.allocations, way.mappings]) : undefined
        if (key !== undefined && seen.has(key)) return true
        if (key !== undefined) seen.add(key)
        found.push(way)
        return !one_per_tree && goesOn()
      })
      steps -= before - Math.max(0, budget.steps)
    }
    ends.push(found.length)
    return goesOn()
  })
  if (!inTurn) return found
  const lists = ends.map((end, i) => found.slice(ends[i - 1] ?? 0, end))
  return turnByTurn(lists, limit)
}

/** The group of a request that a tree of one provider meets alone or not at all: most trees and requests are so. */
function aloneIn({ sharing }: Snapshot, { groups: [group, ...more] }: SearchRequest): RequestGroup | undefined {
  return group && more.length === 0 && sharing.length === 0 && hasSome(group.resources) ? group : undefined
}

/** The first of each list, then the second of each, and so on. */
function turnByTurn(lists: Found[][], limit: number): Found[] {
  const mixed: Found[] = []
  for (let i = 0; mixed.length < limit; i++) {
    const turn = lists.filter(ways => ways.length > i).map(ways => ways[i]!)
    if (turn.length === 0) break
    mixed.push(...turn.slice(0, limit - mixed.length))
  }
  return mixed
}

export function rootFits(root: Provider | undefined, request: SearchRequest): boolean {
  if (!root) return false
  const has = (trait: string) => root.traits.has(trait)
  return (request.root_required ?? []).every(has) && !(request.root_forbidden ?? []).some(has)
}

/** Whether the tree meets the group, with what is shared with it. */
export function meetsGroup(snapshot: Snapshot, root: string, tree: Provider[], group: RequestGroup): boolean {
  let met = false
  waysInTree(snapshot, root, tree, { groups: [group] }, { steps: stepsPerTree }, () => {
    met = true
    return false
  })
  return met
}

/** Calls `take` with each way in which the tree meets the request, until it says false. */
function waysInTree(
  snapshot: Snapshot,
  root: string,
  tree: Provider[],
  request: SearchRequest,
  budget: Budget,
  take: (way: Found) => boolean,
): void {
  const within = snapshot.sharing.length === 0 ? tree : [...tree, ...sharedWith(snapshot, tree)]
  const perGroup: Way[][] = []
  for (const group of request.groups) {
    const ways =
      group.suffix === ''
        ? spreadWays(snapshot, within, root, group, budget)
        : singleWays(snapshot, within, root, group)
    if (ways.length === 0) return
    perGroup.push(ways)
  }
  let count = 0
  eachWay(perGroup, budget, {
    fits: chosen => together(snapshot, chosen, request),
    take(ways) {
      if (request.flat && !isFlat(ways)) return true
      return take(new FoundWays(snapshot.providers.get(root)!, ways, request.groups)) && ++count < maxWaysPerTree
    },
  })
}

/** Whether no two of the providers are of the same tree. */
function isFlat(ways: Way[]): boolean {
  const used = new Set(ways.flatMap(way => way.map(part => part.provider)))
  return new Set([...used].map(provider => provider.root)).size === used.size
}

/** Sharing providers of other trees that have an aggregate in common with this one. */
export function sharedWith(snapshot: Snapshot, tree: Provider[]): Provider[] {
  return snapshot.sharing.filter(
    shared => !tree.includes(shared) && tree.some(p => !p.aggregates.isDisjointFrom(shared.aggregates)),
  )
}

/** Whether a provider may be used for a group in the tree of `root` at all, its resources and required traits aside. */
export function admits(snapshot: Snapshot, provider: Provider, root: string, group: RequestGroup): boolean {
  if (group.forbidden.some(trait => provider.traits.has(trait))) return false
  if (!group.in_tree && group.member_of.length + group.forbidden_aggregates.length === 0) return true
  const spread = group.suffix === ''
  if (group.in_tree) {
    const asked = snapshot.providers.get(group.in_tree)?.root
    if (provider.root !== asked || (spread && root !== asked)) return false
  }
  // The group without a suffix is about the tree, so the aggregates of its root count for all that is in the tree.
  const top = spread ? snapshot.providers.get(root) : undefined
  const isMember = (p: Provider) => group.member_of.every(any => any.some(aggregate => p.aggregates.has(aggregate)))
  if (!isMember(provider) && !(top && provider.root === root && isMember(top))) return false
  const shunned = (p: Provider) => group.forbidden_aggregates.some(aggregate => p.aggregates.has(aggregate))
  return !shunned(provider) && !(top && shunned(top))
}

const hasTraits = (providers: Provider[], required: string[][]) =>
  required.every(any => any.some(trait => providers.some(p => p.traits.has(trait))))

function hasAll({ traits }: Provider, required: string[][]): boolean {
  for (const any of required) if (!any.some(trait => traits.has(trait))) return false
  return true
}

/** Ways to meet a group by several providers: each class by any provider that has room, the traits by all of them together. */
function spreadWays(snapshot: Snapshot, within: Provider[], root: string, group: RequestGroup, budget: Budget): Way[] {
  // A tree of one, as most are, meets it alone or not at all.
  if (within.length === 1 && hasSome(group.resources)) return singleWays(snapshot, within, root, group)
  const usable = within.filter(p => admits(snapshot, p, root, group))
  const choices: Way[] = []
  for (const [resourceClass, amount] of Object.entries(group.resources)) {
    const parts = usable
      .filter(p => hasRoom(p.inventories.get(resourceClass), amount))
      .map(provider => ({ provider, resource_class: resourceClass, amount }))
    if (parts.length === 0) return []
    choices.push(parts)
  }
  if (choices.length === 0) {
    const provider = usable.find(p => p.uuid === root)
    return provider ? [[{ provider, resource_class: undefined, amount: 0 }]] : []
  }
  const ways: Way[] = []
  eachWay(choices, budget, {
    take(way) {
      const providers = way.map(part => part.provider)
      if (hasTraits(providers, group.required)) ways.push(way)
      return ways.length < maxWaysPerTree
    },
  })
  return ways
}

/** Ways to meet a group by one provider. */
function singleWays(snapshot: Snapshot, within: Provider[], root: string, group: RequestGroup): Way[] {
  const able = within.filter(provider => meets(snapshot, provider, root, group))
  const wanted = Object.entries(group.resources)
  return able.map(provider =>
    wanted.length > 0
      ? wanted.map(([resource_class, amount]) => ({ provider, resource_class, amount }))
      : [{ provider, resource_class: undefined, amount: 0 }],
  )
}

/** Whether the provider alone can meet the group. */
function meets(snapshot: Snapshot, provider: Provider, root: string, group: RequestGroup): boolean {
  return (
    // What is refused by its traits is so sooner than by its room.
    suits(snapshot, provider, root, group) &&
    (hasSome(group.resources) ? hasRooms(provider, group.resources) : provider.root === root)
  )
}

/** The same but for its room. */
const suits = (snapshot: Snapshot, provider: Provider, root: string, group: RequestGroup): boolean =>
  admits(snapshot, provider, root, group) && hasAll(provider, group.required)

/** These run for each of ten thousand providers: lists of entries would be most of their time. */
function hasSome(resources: Record<string, number>): boolean {
  for (const _ in resources) return true
  return false
}

function hasRooms(provider: Provider, resources: Record<string, number>): boolean {
  for (const name in resources) if (!hasRoom(provider.inventories.get(name), resources[name]!)) return false
  return true
}

/** Whether the ways of the first groups go together: different providers where asked, one subtree where asked, and room for their sum. */
function together(snapshot: Snapshot, ways: readonly Way[], { groups, isolate, same_subtree }: SearchRequest): boolean {
  if (groups.length === 1) return true
  const providerOf = (suffix: string) => ways[groups.findIndex(g => g.suffix === suffix)]?.[0]?.provider
  if (isolate) {
    const single = ways.filter((_, i) => groups[i]!.suffix !== '').map(way => way[0]!.provider)
    if (new Set(single).size < single.length) return false
  }
  for (const suffixes of same_subtree ?? []) {
    const members = suffixes.map(providerOf).filter(provider => provider !== undefined)
    if (members.length < suffixes.length) continue
    if (!members.some(top => members.every(p => isBelow(snapshot, p, top.uuid)))) return false
  }
  const sums = new Map<InventoryRow, number>()
  for (const { provider, resource_class, amount } of ways.flat()) {
    const inventory = resource_class === undefined ? undefined : provider.inventories.get(resource_class)
    if (inventory) sums.set(inventory, (sums.get(inventory) ?? 0) + amount)
  }
  return [...sums].every(([inventory, sum]) => hasRoom(inventory, sum))
}

function isBelow(snapshot: Snapshot, provider: Provider, top: string): boolean {
  for (let at: Provider | undefined = provider; at; at = at.parent ? snapshot.providers.get(at.parent) : undefined)
    if (at.uuid === top) return true
  return false
}
