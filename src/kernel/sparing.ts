/** Lines of the log whose number others decide on: one of a kind in a while, with how many there were since. */
import type { Clock } from './clock.ts'

const everyMs = 60_000
/** Kinds that are remembered; the oldest is forgotten, and may be told once more. */
const most = 1000

interface Kind {
  at: number
  unsaid: number
}

/** Says what a line of this kind has to say besides, or undefined: it is not written. */
export type Sparing = (kind: string) => { unsaid?: number } | undefined

export function sparing(clock: Pick<Clock, 'now'>): Sparing {
  const kinds = new Map<string, Kind>()
  return kind => {
    const known = kinds.get(kind)
    if (known && clock.now() < known.at + everyMs) {
      known.unsaid++
      return undefined
    }
    kinds.delete(kind)
    kinds.set(kind, { at: clock.now(), unsaid: 0 })
    if (kinds.size > most) kinds.delete(kinds.keys().next().value!)
    return known?.unsaid ? { unsaid: known.unsaid } : {}
  }
}
