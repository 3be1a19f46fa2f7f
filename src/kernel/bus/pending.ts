/** A call that waits for its answer: until it comes, the time is over or the caller gives up. */
import type { Clock } from '../clock.ts'
import { type CallOptions, CallTimeout } from './bus.ts'

/** Node fires a timer that is longer at once. */
export const longestTimerMs = 2 ** 31 - 1

export interface PendingCall {
  answer(text: string): void
  fail(error: unknown): void
}

/**
 * `send` gets the pending call and returns what to do when nobody waits for its answer any more; it is not called for a call
 * that was answered.
 */
export function awaitAnswer(
  clock: Clock,
  subject: string,
  { timeoutMs, signal }: CallOptions,
  send: (pending: PendingCall) => (reason: unknown) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    if (timeoutMs <= 0) return reject(new CallTimeout(subject, timeoutMs))
    let done = false
    let cancel: (reason: unknown) => void = () => {}
    function settle(act: () => void) {
      if (done) return
      done = true
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      act()
    }
    const giveUp = (reason: unknown) =>
      settle(() => {
        reject(reason)
        cancel(reason)
      })
    const onAbort = () => giveUp(signal?.reason)
    const timer = clock.after(Math.min(timeoutMs, longestTimerMs), () => giveUp(new CallTimeout(subject, timeoutMs)))
    signal?.addEventListener('abort', onAbort, { once: true })
    const fail = (error: unknown) => settle(() => reject(error))
    try {
      cancel = send({ answer: text => settle(() => resolve(text)), fail })
    } catch (error) {
      fail(error)
    }
  })
}
