/** What fake hosts keep of deleted guests: they stay among the guests, under a key of their own. */
import { Readable } from 'node:stream'
import type { Clock } from '#kernel/clock.ts'
import { GuestError, type VirtDriver } from './driver.ts'
import type { FakeGuest } from './fake.ts'
import { emptyQcow2 } from './fake-disk.ts'
import type { FakeMethod } from './fake-faults.ts'
import { type Keep, type KeptFiles, toPurge } from './kept.ts'

export const keptKey = (id: string) => `${id}.kept`
const gigabyte = 1024 ** 3

interface Host {
  guests: Map<string, FakeGuest>
  clock: Clock
  disk_gb: number
  call<T>(method: FakeMethod, id: string | undefined, work: () => T): Promise<T>
}

type Kept = Pick<VirtDriver, 'keptFiles' | 'snapshotKept' | 'dropKept' | 'purgeKept'> & {
  /** Instead of a guest that is being destroyed. */
  keep(id: string, guest: FakeGuest, keep: Keep): void
}

export function fakeKept({ guests, clock, disk_gb, call }: Host): Kept {
  const sizeOf = ({ spec }: FakeGuest) => spec.disks.reduce((sum, disk) => sum + disk.size_gb, 0) * gigabyte
  const all = (): KeptFiles[] =>
    [...guests].flatMap(([key, guest]) =>
      guest.kept && key.endsWith('.kept') ? [{ id: guest.spec.id, bytes: sizeOf(guest), ...guest.kept }] : [],
    )
  const kept = (id: string) => {
    const guest = guests.get(keptKey(id))
    if (!guest) throw new GuestError(`No files are kept of guest ${id} on this host.`)
    return guest
  }
  return {
    keep: (id, guest, { until, free_percent }) =>
      void guests.set(keptKey(id), {
        ...guest,
        kept: { until, free_percent, deleted_at: new Date(clock.now()).toISOString() },
      }),
    keptFiles: () => call('keptFiles', undefined, all),
    snapshotKept: (id, format) =>
      call('snapshotKept', id, () => {
        const size = Math.max(gigabyte, sizeOf(kept(id)))
        return Readable.from([format === 'qcow2' ? emptyQcow2(size) : Buffer.alloc(1024 * 1024)])
      }),
    dropKept: id => call('dropKept', id, () => void guests.delete(keptKey(id))),
    async purgeKept() {
      const total = disk_gb * gigabyte
      const used = [...guests.values()].reduce((sum, guest) => sum + sizeOf(guest), 0)
      const purged = toPurge(all(), { total, free: total - used }, clock.now()).map(({ id }) => id)
      for (const id of purged) await call('purgeKept', id, () => void guests.delete(keptKey(id)))
      return purged
    },
  }
}
