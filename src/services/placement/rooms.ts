/** The room of trees of providers as plain numbers in a row: to go through the inventories of ten thousand providers is most of what a search would do. */
import type { Provider } from './snapshot.ts'

export interface Rooms {
  /** By their places; undefined where one is gone. */
  trees: (Provider[] | undefined)[]
  /** By root. */
  places: Map<string, number>
  /** Places of trees that are gone. */
  left: number[]
  /** By resource class: the most that one provider of the tree at a place can give at once; below 0 where none has any. */
  most: Map<string, Float64Array>
}

export const emptyRooms = (): Rooms => ({ trees: [], places: new Map(), left: [], most: new Map() })

/** Keeps what a tree can give now. A tree without providers is gone. */
export function keepRoom(rooms: Rooms, root: string, tree: Provider[]): void {
  const { trees, places, left, most } = rooms
  const place = places.get(root) ?? left.pop() ?? trees.length
  for (const column of most.values()) if (place < column.length) column[place] = none
  if (tree.length === 0) {
    trees[place] = undefined
    places.delete(root)
    left.push(place)
    return
  }
  trees[place] = tree
  places.set(root, place)
  for (const { inventories } of tree)
    for (const [name, { capacity, used, max_unit }] of inventories) {
      const column = columnFor(most, name, place)
      column[place] = Math.max(column[place]!, Math.min(capacity - used, max_unit))
    }
}

const none = Number.NEGATIVE_INFINITY
const leastColumn = 64

function columnFor(most: Rooms['most'], name: string, place: number): Float64Array {
  const known = most.get(name)
  if (known && place < known.length) return known
  const longer = new Float64Array(Math.max(leastColumn, 2 * place)).fill(none)
  if (known) longer.set(known)
  most.set(name, longer)
  return longer
}

/** Whether the tree at a place has, of each class, a provider that can give the amount. */
export function hasRoomFor({ most }: Rooms, amounts: ReadonlyMap<string, number>): (place: number) => boolean {
  const wanted = [...amounts].map(([name, amount]) => ({ column: most.get(name) ?? new Float64Array(0), amount }))
  return place => {
    for (const { column, amount } of wanted) if (!(column[place]! >= amount)) return false
    return true
  }
}
