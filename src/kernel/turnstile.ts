/** A turnstile: so many pieces of work at a time, the others wait their turn. */

/** Who no longer wants a turn when the signal aborts rejects with its reason, and keeps nobody waiting. */
export type Turnstile = <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T>

export function turnstile(places: number): Turnstile {
  let taken = 0
  const waiting = new Set<() => void>()

  function turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((go, leave) => {
      const given = () => {
        signal?.removeEventListener('abort', left)
        go()
      }
      const left = () => {
        waiting.delete(given)
        leave(signal!.reason)
      }
      waiting.add(given)
      signal?.addEventListener('abort', left, { once: true })
    })
  }

  return async (work, signal) => {
    signal?.throwIfAborted()
    if (taken < places) taken++
    else await turn(signal)
    try {
      return await work()
    } finally {
      const [next] = waiting
      if (next) {
        waiting.delete(next)
        next()
      } else taken--
    }
  }
}
