/** The chore that removes kept files of deleted guests: those whose time is over, and the oldest while the disk is short. */
import { rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { answerChore } from '#kernel/chores.ts'
import { toPurge } from '../kept.ts'
import { listKept } from './kept.ts'

export interface PurgeKept {
  instances: string
  /** Milliseconds since the epoch. */
  now: number
  /** Bytes that are to be free. */
  wanted: number
}

/** Whose files were removed. */
await answerChore<PurgeKept, string[]>(async ({ instances, now, wanted }) => {
  const { blocks, bavail, bsize } = await statfs(instances)
  const room = { total: blocks * bsize, free: bavail * bsize }
  const purged = toPurge(await listKept(instances), room, now, wanted)
  for (const { id } of purged) {
    const dir = join(instances, `${id}.kept`)
    // From here on its images are not needed, whatever happens.
    await rm(join(dir, 'guest.json'), { force: true })
    await rm(dir, { recursive: true, force: true })
  }
  return purged.map(({ id }) => id)
})
