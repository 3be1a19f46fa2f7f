/** The chore that removes cached images which no guest has used for long. */
import { readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { answerChore } from '#kernel/chores.ts'
import type { GuestRecord } from './record.ts'
import { recordsIn } from './records.ts'

export interface PurgeImages {
  images: string
  instances: string
  /** Names of files that are in use though no record says so yet. */
  in_use: string[]
  /** Milliseconds since the epoch. */
  now: number
  max_age_ms: number
}

/** How many bytes were freed. */
await answerChore<PurgeImages, number>(async ({ images, instances, in_use, now, max_age_ms }) => {
  const records: GuestRecord[] = await recordsIn(instances)
  const used = new Set([...in_use, ...records.flatMap(record => record.images)])
  let freed = 0
  for (const name of await readdir(images)) {
    const path = join(images, name)
    if (used.has(name.replace(/(\.converted|\.base\d+)?\.part$/, ''))) {
      if (!name.endsWith('.part')) await utimes(path, now / 1000, now / 1000).catch(() => {})
      continue
    }
    const found = await stat(path).catch(() => undefined)
    // One that somebody has used meanwhile is younger.
    if (!found || now - found.mtimeMs < max_age_ms) continue
    await rm(path, { force: true })
    freed += found.size
  }
  return freed
})
