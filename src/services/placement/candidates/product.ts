/** One of each list, in every way that fits, the last list turning fastest. */

/** How many choices may still be looked at: the ways are exponentially many, and one request must not take them all. */
export interface Budget {
  steps: number
}

/** `fits` says of the first few choices whether it is worth going on from them. The array that it gets is reused. */
export function* product<T>(
  lists: readonly (readonly T[])[],
  budget: Budget,
  fits: (chosen: readonly T[]) => boolean = () => true,
): Generator<T[]> {
  const chosen: T[] = []
  function* next(): Generator<T[]> {
    if (chosen.length === lists.length) return yield [...chosen]
    for (const item of lists[chosen.length]!) {
      if (budget.steps-- <= 0) return
      chosen.push(item)
      if (fits(chosen)) yield* next()
      chosen.pop()
    }
  }
  if (lists.every(list => list.length > 0)) yield* next()
}
