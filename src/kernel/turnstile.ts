/** A turnstile: so many pieces of work at a time, the others wait their turn. */
export type Turnstile = <T>(work: () => Promise<T>) => Promise<T>

export function turnstile(places: number): Turnstile {
  let taken = 0
  const waiting: (() => void)[] = []
  return async work => {
    if (taken < places) taken++
    else await new Promise<void>(go => waiting.push(go))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else taken--
    }
  }
}
