/** One of each list, in every way that fits, the last list turning fastest. Not a generator: those cost ten times as much on trees of one. */

/** How many choices may still be looked at: the ways are exponentially many, and one request must not take them all. */
export interface Budget {
  steps: number
}

interface Visitor<T> {
  /** Of the first few choices, whether it is worth going on from them. The array that it gets is reused. */
  fits?: (chosen: readonly T[]) => boolean
  /** Gets each whole way; false ends it. */
  take: (way: T[]) => boolean
}

export function eachWay<T>(lists: readonly (readonly T[])[], budget: Budget, { fits, take }: Visitor<T>): void {
  const chosen: T[] = []
  const next = (): boolean => {
    if (chosen.length === lists.length) return take([...chosen])
    for (const item of lists[chosen.length]!) {
      if (budget.steps-- <= 0) return false
      chosen.push(item)
      const goOn = (fits && !fits(chosen)) || next()
      chosen.pop()
      if (!goOn) return false
    }
    return true
  }
  if (lists.every(list => list.length > 0)) next()
}
