/** Agents that do not answer: each is asked again after pauses that grow, and once something has happened to its server, a restart above all. */

export interface Silence {
  /** How often it was waited for in vain, one time after the other. */
  silences: number
  /** When it was last given up; null: it was not. */
  silent_at: string | null
  /** Null: no more by itself. */
  ask_at: string | null
}

export const notSilent: Silence = { silences: 0, silent_at: null, ask_at: null }

const firstPauseMs = 10 * 60_000
/** The last of them is five hours long. */
const pauses = 6

/** Of an agent that was just waited for in vain. */
export function silentAgain(now: number, { silences }: Silence): Silence {
  const ask_at = silences < pauses ? new Date(now + firstPauseMs * 2 ** silences).toISOString() : null
  return { silences: silences + 1, silent_at: new Date(now).toISOString(), ask_at }
}
