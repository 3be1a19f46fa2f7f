/** The order in which calls about a guest were made: one that comes after a newer one, late or a second time, does nothing. */
import { Conflict, Fault } from '#kernel/errors.ts'

/** Asked often, and nothing is changed by them. */
export const questions: ReadonlySet<string> = new Set([
  ...['facts', 'list', 'state', 'consoleLog', 'console', 'diagnostics', 'migrationProgress', 'keptFiles'],
  'guestSystem',
  'agentVersion',
])

/** What inputs of calls about guests have in common; `order` is missing from older callers. */
export interface AboutGuest {
  id?: string
  spec?: { id: string }
  order?: number
}

const type = 'StaleCall'
const mostGuests = 10_000

/** The host's side: takes a call's order, or throws when a newer one about the guest came before. */
export function ordersTaken(): (input: AboutGuest) => void {
  const newest = new Map<string, number>()
  return input => {
    const id = input.id ?? input.spec?.id
    const { order } = input
    if (id === undefined || order === undefined) return
    const before = newest.get(id) ?? 0
    if (order < before) {
      const message = `A newer call about guest ${id} came before this one.`
      throw new Conflict(message, { type, extra: { newest: before } })
    }
    // Those of whom nothing was heard for longest go first.
    newest.delete(id)
    newest.set(id, order)
    if (newest.size > mostGuests) newest.delete(newest.keys().next().value!)
  }
}

/** The caller's side: numbers that grow with its clock, and beyond those of a caller whose clock is ahead. */
export function ordersGiven(now: () => number) {
  let last = 0
  return {
    next(): number {
      last = Math.max(last + 1, now() * 1000)
      return last
    },
    /** Whether to ask again: the call came late, but somebody waits for it still. */
    learns(error: unknown): boolean {
      if (!(error instanceof Fault && error.type === type)) return false
      last = Math.max(last, Number(error.extra.newest))
      return true
    },
  }
}
