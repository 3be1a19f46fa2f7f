/** The Cartesian product: one of each list, in every way, the last list turning fastest. */
export function* product<T>(lists: readonly (readonly T[])[]): Generator<T[]> {
  if (lists.some(list => list.length === 0)) return
  const at = lists.map(() => 0)
  for (;;) {
    yield lists.map((list, i) => list[at[i]!]!)
    let turning = lists.length - 1
    while (turning >= 0 && ++at[turning]! === lists[turning]!.length) at[turning--] = 0
    if (turning < 0) return
  }
}
