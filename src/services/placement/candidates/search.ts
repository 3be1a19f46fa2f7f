/** Finds the ways in which a request can be met: pure, over a snapshot. */
import { hasRoom } from '../inventories/inventory.ts'
import type { InventoryRow } from '../providers/store.ts'
import type { Provider, Snapshot } from '../snapshot.ts'
import { product } from './product.ts'

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
  limit?: number | undefined
}

export interface Found {
  root: string
  allocations: Record<string, Record<string, number>>
  /** The providers that meet each group. */
  mappings: Record<string, string[]>
}

/** At most so many ways a tree, however many there are: a request must not be able to ask for millions. */
const maxWaysPerTree = 1000

export function search(snapshot: Snapshot, request: SearchRequest): Found[] {
  const found: Found[] = []
  const limit = request.limit ?? Number.POSITIVE_INFINITY
  for (const [root, tree] of treesFor(snapshot, request)) {
    if (!rootFits(snapshot.providers.get(root), request)) continue
    for (const way of waysInTree(snapshot, root, tree, request)) {
      found.push(way)
      if (found.length >= limit) return found
    }
  }
  return found
}

function treesFor(snapshot: Snapshot, { groups }: SearchRequest): Iterable<[string, Provider[]]> {
  const asked = groups.find(group => group.in_tree && !isSharingTree(snapshot, group.in_tree))?.in_tree
  if (!asked) return snapshot.trees
  const root = snapshot.providers.get(asked)?.root
  return root ? [[root, snapshot.trees.get(root)!]] : []
}

const isSharingTree = (snapshot: Snapshot, uuid: string) =>
  snapshot.sharing.some(p => p.root === snapshot.providers.get(uuid)?.root)

export function rootFits(root: Provider | undefined, request: SearchRequest): boolean {
  if (!root) return false
  const has = (trait: string) => root.traits.has(trait)
  return (request.root_required ?? []).every(has) && !(request.root_forbidden ?? []).some(has)
}

/** One way to meet one group: providers and what each gives. */
type Way = { provider: Provider; resource_class: string | undefined; amount: number }[]

function* waysInTree(snapshot: Snapshot, root: string, tree: Provider[], request: SearchRequest): Generator<Found> {
  const within = [...tree, ...sharedWith(snapshot, tree)]
  const perGroup: Way[][] = []
  for (const group of request.groups) {
    const ways =
      group.suffix === '' ? spreadWays(snapshot, within, root, group) : singleWays(snapshot, within, root, group)
    if (ways.length === 0) return
    perGroup.push(ways)
  }
  const seen = new Set<string>()
  let count = 0
  for (const ways of product(perGroup)) {
    if (!ways.some(way => way.some(part => part.provider.root === root))) continue
    if (!together(snapshot, ways, request)) continue
    const found = foundOf(root, ways, request)
    const key = JSON.stringify(found)
    if (seen.has(key)) continue
    seen.add(key)
    yield found
    if (++count >= maxWaysPerTree) return
  }
}

/** Sharing providers of other trees that have an aggregate in common with this one. */
function sharedWith(snapshot: Snapshot, tree: Provider[]): Provider[] {
  if (snapshot.sharing.length === 0) return []
  return snapshot.sharing.filter(
    shared => !tree.includes(shared) && tree.some(p => !p.aggregates.isDisjointFrom(shared.aggregates)),
  )
}

/** Whether a provider may be used for a group at all, its resources and required traits aside. */
export function admits(snapshot: Snapshot, provider: Provider, group: RequestGroup): boolean {
  if (group.forbidden.some(trait => provider.traits.has(trait))) return false
  if (group.in_tree && provider.root !== snapshot.providers.get(group.in_tree)?.root) return false
  // The group without a suffix is about the tree, so its root's aggregates count too.
  const root = group.suffix === '' ? snapshot.providers.get(provider.root) : undefined
  const member = (aggregate: string) => provider.aggregates.has(aggregate) || root?.aggregates.has(aggregate) === true
  return group.member_of.every(any => any.some(member)) && !group.forbidden_aggregates.some(member)
}

const hasTraits = (providers: Provider[], required: string[][]) =>
  required.every(any => any.some(trait => providers.some(p => p.traits.has(trait))))

/** Ways to meet a group by several providers: each class by any provider that has room, the traits by all of them together. */
function spreadWays(snapshot: Snapshot, within: Provider[], root: string, group: RequestGroup): Way[] {
  const usable = within.filter(p => admits(snapshot, p, group))
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
  for (const way of product(choices)) {
    if (
      hasTraits(
        way.map(part => part.provider),
        group.required,
      )
    )
      ways.push(way)
    if (ways.length >= maxWaysPerTree) break
  }
  return ways
}

/** Ways to meet a group by one provider. */
function singleWays(snapshot: Snapshot, within: Provider[], root: string, group: RequestGroup): Way[] {
  const wanted = Object.entries(group.resources)
  return within
    .filter(
      p =>
        admits(snapshot, p, group) &&
        hasTraits([p], group.required) &&
        (wanted.length > 0 || p.root === root) &&
        wanted.every(([resourceClass, amount]) => hasRoom(p.inventories.get(resourceClass), amount)),
    )
    .map(provider =>
      wanted.length > 0
        ? wanted.map(([resource_class, amount]) => ({ provider, resource_class, amount }))
        : [{ provider, resource_class: undefined, amount: 0 }],
    )
}

/** Whether the ways of all groups go together: different providers where asked, one subtree where asked, and room for their sum. */
function together(snapshot: Snapshot, ways: Way[], { groups, isolate, same_subtree }: SearchRequest): boolean {
  if (groups.length === 1) return true
  const providerOf = (suffix: string) => ways[groups.findIndex(g => g.suffix === suffix)]![0]!.provider
  const suffixed = groups.filter(group => group.suffix !== '' && Object.keys(group.resources).length > 0)
  if (isolate && new Set(suffixed.map(group => providerOf(group.suffix))).size < suffixed.length) return false
  for (const suffixes of same_subtree ?? []) {
    const members = suffixes.map(providerOf)
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

function foundOf(root: string, ways: Way[], { groups }: SearchRequest): Found {
  const found: Found = { root, allocations: {}, mappings: {} }
  ways.forEach((way, i) => {
    const { suffix } = groups[i]!
    found.mappings[suffix] = [...new Set(way.map(part => part.provider.uuid))]
    for (const { provider, resource_class, amount } of way) {
      if (resource_class === undefined) continue
      const resources = found.allocations[provider.uuid] ?? {}
      resources[resource_class] = (resources[resource_class] ?? 0) + amount
      found.allocations[provider.uuid] = resources
    }
  })
  return found
}
