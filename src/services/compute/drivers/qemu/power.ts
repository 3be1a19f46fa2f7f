/** Switches a running guest off: by its power button first, by force when time is up. */
import type { Clock } from '#kernel/clock.ts'
import type { Session } from './session.ts'

/** A guest that boots does not hear its button yet, so it is pressed again. */
const pressEveryMs = 10_000

export async function powerOff(
  clock: Clock,
  session: Session,
  graceSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  session.expectExit()
  // Stopped CPUs cannot hear the button.
  if (graceSeconds > 0 && session.status === 'running') {
    const end = clock.monotonic() + graceSeconds * 1000
    for (let left = graceSeconds * 1000; left > 0; left = end - clock.monotonic()) {
      await session.execute('system_powerdown').catch(() => {})
      const pause = clock.sleep(Math.min(left, pressEveryMs), signal).then(() => false)
      if (await Promise.race([session.exited.then(() => true), pause])) return
    }
  }
  await session.kill({ flush: true })
}
