/** Runs work about one guest one after another, and about different guests at the same time. */
export function perGuest() {
  const last = new Map<string, Promise<void>>()

  /** Waits for its turn, unless the caller has gone away by then. */
  async function serialize(id: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const before = last.get(id)
    const turn = (async () => {
      await before?.catch(() => undefined)
      signal.throwIfAborted()
      await work()
    })()
    last.set(id, turn)
    try {
      await turn
    } finally {
      if (last.get(id) === turn) last.delete(id)
    }
  }

  return { serialize, busy: (id: string) => last.has(id) }
}
