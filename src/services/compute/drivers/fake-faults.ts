/** Faults of the fake driver: calls that fail, take time, or both, on demand. */
import type { Clock } from '#kernel/clock.ts'
import { GuestError, type VirtDriver } from './driver.ts'

/** The methods that a fault can hit. */
export type FakeMethod = Exclude<keyof VirtDriver, 'name' | 'onEvent' | symbol>

/** Makes calls of one method fail, take time, or both. */
export interface FakeFault {
  method: FakeMethod
  /** Only calls for this guest count. */
  guest?: string
  /** Which of the calls from now on, 1 being the next (the default); `every` for all of them. */
  call?: number | 'every'
  delayMs?: number
  /** A string becomes a GuestError with this message. Without it the call only takes longer. */
  error?: string | Error
  /** The call does its work and fails then, as when an answer gets lost. */
  afterwards?: boolean
  /** Called when it hits. */
  hit?: () => void
}

interface Injected extends FakeFault {
  seen: number
  met: boolean
}

interface Options {
  clock: Clock
  /** Called with the guest of a call that has done its work. */
  changed: (id: string) => void
}

export function fakeFaults({ clock, changed }: Options) {
  /** Aborted when a guest is destroyed: ends what goes on with it. */
  const gone = new Map<string, AbortController>()
  const injected: Injected[] = []
  let faults: Injected[] = []
  function inject(...more: FakeFault[]): void {
    const fresh = more.map(fault => ({ ...fault, seen: 0, met: false }))
    injected.push(...fresh)
    faults.push(...fresh)
  }

  /** Runs `work` as one call of `method`, with the faults that are due. */
  async function call<T>(method: FakeMethod, id: string | undefined, work: () => T, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    const due = faults.filter(fault => {
      if (fault.method !== method || (fault.guest !== undefined && fault.guest !== id)) return false
      fault.seen++
      return fault.call === 'every' || fault.seen === (fault.call ?? 1)
    })
    faults = faults.filter(fault => fault.call === 'every' || !due.includes(fault))
    for (const fault of due) {
      fault.met = true
      fault.hit?.()
    }
    for (const fault of due) if (fault.delayMs) await pause(fault.delayMs, method, id, signal)
    const failure = due.find(fault => fault.error !== undefined)
    if (failure && !failure.afterwards) throw asError(failure.error)
    const result = work()
    if (id !== undefined) changed(id)
    if (failure) throw asError(failure.error)
    return result
  }

  async function pause(ms: number, method: FakeMethod, id: string | undefined, signal?: AbortSignal): Promise<void> {
    if (id === undefined || method === 'destroy') return clock.sleep(ms, signal)
    const destroyed = gone.get(id) ?? new AbortController()
    gone.set(id, destroyed)
    await clock.sleep(ms, signal ? AbortSignal.any([signal, destroyed.signal]) : destroyed.signal)
  }

  return {
    inject,
    call,
    /** Every fault that was ever injected, and whether a call has met it. */
    injected: () => injected.map(({ method, met }) => ({ method, met })),
    /** Ends what goes on with a guest that is being destroyed. */
    interrupt(id: string): void {
      gone.get(id)?.abort(new GuestError(`Guest ${id} is being destroyed.`))
      gone.delete(id)
    },
  }
}

const asError = (error: string | Error | undefined) => (error instanceof Error ? error : new GuestError(String(error)))
