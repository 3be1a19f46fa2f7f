/** Files of deleted guests that are kept for a while: which of them go, and when. */

/** How long the files of a guest stay that is being destroyed, and what makes them go sooner. */
export interface Keep {
  /** ISO 8601. */
  until: string
  /** With less of the disk free, the oldest go first. */
  free_percent: number
}

export interface KeptFiles extends Keep {
  id: string
  /** ISO 8601. */
  deleted_at: string
  /** What they take of the disk. */
  bytes: number
}

/** In bytes. */
export interface DiskRoom {
  total: number
  free: number
}

/** Those whose time is over, and the oldest of the others until as much is free as is to be, and as is `wanted`. */
export function toPurge(kept: readonly KeptFiles[], { total, free }: DiskRoom, now: number, wanted = 0): KeptFiles[] {
  const isOver = (one: KeptFiles) => !(Date.parse(one.until) > now)
  const purged = kept.filter(isOver)
  let room = free + purged.reduce((sum, one) => sum + one.bytes, 0)
  const others = kept.filter(one => !isOver(one)).sort((a, b) => (a.deleted_at < b.deleted_at ? -1 : 1))
  for (const one of others) {
    if (room >= wanted && room >= (total * one.free_percent) / 100) break
    purged.push(one)
    room += one.bytes
  }
  return purged
}
