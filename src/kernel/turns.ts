/** Turns of the event loop, and long lists made in several of them: what others ask for meanwhile does not wait for all of it. */

/** Resolves when the event loop has looked at all else that waits. */
export const nextTurn = () => new Promise<void>(resolve => setImmediate(resolve))

/** Of what costs a few microseconds an item, a slice holds the loop for about a millisecond. */
const sliceLength = 200

/** What takes long for a long list, and cannot be done in slices, begins in a turn of its own. */
export async function turnForMany(items: readonly unknown[]): Promise<void> {
  if (items.length > sliceLength) await nextTurn()
}

/** What `make` makes of each item, a slice a turn. A short list takes none, a long one ends in a fresh one: writing it as JSON takes long as well. */
export async function inTurns<Item, Made>(items: readonly Item[], make: (item: Item) => Made): Promise<Made[]> {
  if (items.length <= sliceLength) return items.map(item => make(item))
  const made: Made[] = []
  for (let at = 0; at < items.length; at += sliceLength) {
    await nextTurn()
    for (const item of items.slice(at, at + sliceLength)) made.push(make(item))
  }
  await turnForMany(items)
  return made
}
