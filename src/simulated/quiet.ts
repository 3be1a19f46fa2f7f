/** Waits until all work that can be done at this instant has been done: nothing moves any more but by the passing of time. */
import { settle } from '#kernel/clock.ts'

/** Turns of the event loop without any work after which only time can bring more. */
const quietTurns = 4
/** Clients that never pause must not hold time up for ever. */
const mostTurns = 5_000

/** Work that other threads do for this one: files, hashes, randomness. */
const elsewhere = () =>
  process.getActiveResourcesInfo().some(name => /^FSReq|^FILEHANDLECLOSEREQ|JOB$|REQUEST$/i.test(name))

/** `done` grows with all that is done; `synced` resolves when the disk has it, for which all may wait, and is undefined when it has. */
export async function untilQuiet(done: () => number, synced: () => Promise<void> | undefined): Promise<void> {
  for (let quiet = 0, turns = 0, before = -1; quiet < quietTurns && turns < mostTurns; turns++) {
    const onItsWay = synced()
    await (onItsWay ?? settle(1))
    const now = done()
    quiet = now === before && !onItsWay && !elsewhere() ? quiet + 1 : 0
    before = now
  }
}
