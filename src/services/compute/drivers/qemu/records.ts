/** The records of all that stands on images here: guests, what is aside of them, and what is kept of deleted ones. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { GuestRecord } from './record.ts'

export async function recordsIn(instances: string): Promise<GuestRecord[]> {
  const records: GuestRecord[] = []
  for (const name of await readdir(instances).catch(() => [])) {
    const text = await readFile(join(instances, name, 'guest.json'), 'utf8').catch(ignoreMissing)
    if (text !== undefined) records.push(JSON.parse(text) as GuestRecord)
  }
  return records
}

/** Any other error must not look as if nothing were used. */
function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}
