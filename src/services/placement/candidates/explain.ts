/** Why a tree of providers is no candidate: the first constraint that it fails. Pure, over a snapshot. */
import type { Refusal } from '../contract.ts'
import { hasRoom } from '../inventories/inventory.ts'
import type { InventoryRow } from '../providers/store.ts'
import type { Provider, Snapshot } from '../snapshot.ts'
import { meetsGroup, type RequestGroup, search, sharedWith } from './search.ts'

export function explain(snapshot: Snapshot, group: RequestGroup): Refusal[] {
  const candidates = new Set<string | undefined>()
  for (const found of search(snapshot, { groups: [group] })) {
    candidates.add(found.root)
    // What sharing providers give is found in one tree only of those that it is shared with.
    if (snapshot.sharing.length > 0)
      for (const uuid of Object.keys(found.allocations)) candidates.add(snapshot.providers.get(uuid)?.root)
  }
  const refusals: Refusal[] = []
  for (const [root, tree] of snapshot.trees) {
    const provider = snapshot.providers.get(root)
    if (!provider || candidates.has(root)) continue
    const failed = firstFailed(snapshot, tree, group)
    // A way that several trees have is found in one of them only.
    if (!failed && meetsGroup(snapshot, root, tree, group)) continue
    const { constraint, asked, had } = failed ?? combination
    refusals.push({ provider: root, name: provider.name, constraint, asked, had })
  }
  return refusals
}

type Failed = Pick<Refusal, 'constraint' | 'asked' | 'had'>

const combination: Failed = { constraint: 'combination', asked: 'all of it together', had: 'each part alone' }

/** Undefined when each constraint alone can be met. */
function firstFailed(snapshot: Snapshot, tree: Provider[], group: RequestGroup): Failed | undefined {
  const traits = new Set(tree.flatMap(p => [...p.traits]))
  const aggregates = new Set(tree.flatMap(p => [...p.aggregates]))
  if (group.in_tree && !tree.some(p => p.uuid === group.in_tree))
    return { constraint: 'in_tree', asked: group.in_tree, had: tree[0]!.root }
  for (const any of group.member_of)
    if (!any.some(a => aggregates.has(a)))
      return { constraint: 'member_of', asked: any.join(' or '), had: [...aggregates].join(', ') || 'no aggregate' }
  for (const any of group.required)
    if (!any.some(t => traits.has(t))) return { constraint: `trait:${any.join('|')}`, asked: 'required', had: 'absent' }
  for (const trait of group.forbidden)
    if (traits.has(trait)) return { constraint: `trait:${trait}`, asked: 'forbidden', had: 'present' }
  const reachable = [...tree, ...sharedWith(snapshot, tree)]
  for (const [resourceClass, amount] of Object.entries(group.resources)) {
    const inventories = reachable.flatMap(p => p.inventories.get(resourceClass) ?? [])
    if (!inventories.some(inventory => hasRoom(inventory, amount)))
      return { constraint: resourceClass, asked: String(amount), had: shown(inventories, amount) }
  }
  return undefined
}

function shown(inventories: InventoryRow[], amount: number): string {
  if (inventories.length === 0) return 'no inventory'
  const most = inventories.reduce((a, b) => (b.capacity - b.used > a.capacity - a.used ? b : a))
  const free = most.capacity - most.used
  if (free < amount) return `${Math.max(0, free)} free of ${most.capacity}`
  return `amounts of ${most.min_unit} to ${most.max_unit} in steps of ${most.step_size}`
}
