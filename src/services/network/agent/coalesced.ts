/** Work of which one run at a time is enough: who asks while it runs shares the next run, which begins after the question. */

export interface Coalesced<T> {
  /** A run that begins from now on. */
  ask(): Promise<T>
  /** The run that is under way; a new one when there is none. */
  join(): Promise<T>
  /** Settles when nothing runs or waits. */
  idle(): Promise<void>
}

export function coalesced<T>(run: () => Promise<T>): Coalesced<T> {
  let running: Promise<T> | undefined
  let next: Promise<T> | undefined

  function start(): Promise<T> {
    next = undefined
    const mine: Promise<T> = run().finally(() => {
      if (running === mine) running = undefined
    })
    running = mine
    return mine
  }
  function ask(): Promise<T> {
    if (!running) return start()
    next ??= running.then(start, start)
    return next
  }
  return {
    ask,
    join: () => running ?? ask(),
    async idle() {
      while (running || next) await Promise.allSettled([running, next])
    },
  }
}
