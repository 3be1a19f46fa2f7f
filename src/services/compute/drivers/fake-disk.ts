/** The disks of fake guests: what is on them, and an empty but valid qcow2 file in memory for snapshots of them. */
import { Readable } from 'node:stream'
import type { Backup, BackupOrder, GuestSpec } from './driver.ts'

const clusterBits = 16
const cluster = 1 << clusterBits

/** Header, refcount table, refcount block and L1 table, a cluster each (the L1 table of a disk up to 4 TiB fits one). */
export function emptyQcow2(virtualSize: number): Buffer {
  const l1Entries = Math.ceil(virtualSize / (cluster * (cluster / 8)))
  const file = Buffer.alloc(4 * cluster)
  file.writeUInt32BE(0x514649fb, 0)
  file.writeUInt32BE(3, 4)
  file.writeUInt32BE(clusterBits, 20)
  file.writeBigUInt64BE(BigInt(virtualSize), 24)
  file.writeUInt32BE(l1Entries, 36)
  file.writeBigUInt64BE(BigInt(3 * cluster), 40)
  file.writeBigUInt64BE(BigInt(cluster), 48)
  file.writeUInt32BE(1, 56)
  file.writeUInt32BE(4, 96)
  file.writeUInt32BE(104, 100)
  file.writeBigUInt64BE(BigInt(2 * cluster), cluster)
  for (let index = 0; index < 4; index++) file.writeUInt16BE(1, 2 * cluster + 2 * index)
  return file
}

/** What is on a guest's disks, by their ids: what they were made of, and what was written since. */
export type FakeDisks = Record<string, FakeDisk>

export interface FakeDisk {
  size_gb: number
  contents: string[]
  /** By the image of a backup: how much of the contents there was then. */
  counted?: Record<string, number>
}

const gigabyte = 1024 ** 3

/** A valid qcow2 file, and a cluster more for each piece of what it is a copy of. */
function copyOf(disk: FakeDisk, pieces: readonly string[]): Readable {
  const clusters = pieces.map(text => Buffer.concat([Buffer.from(text), Buffer.alloc(cluster)], cluster))
  return Readable.from([emptyQcow2(Math.max(1, disk.size_gb) * gigabyte), ...clusters])
}

/** Also notes how much there is now. What is counted from other backups than the one that is named is forgotten, as nobody asks for it again. */
export function backupOf(disk: FakeDisk, { image_id, since }: BackupOrder): Backup {
  const { contents, counted = {}, size_gb } = disk
  const before = since?.bytes === size_gb * gigabyte ? counted[since.image_id] : undefined
  const kept = since && before !== undefined ? { [since.image_id]: before } : {}
  disk.counted = { ...kept, [image_id]: contents.length }
  const bytes = copyOf(disk, contents.slice(before ?? 0))
  return { bytes, ...(since && before !== undefined && { base: since.image_id }) }
}

/** Disks as the spec names them; those that were there keep what is on them. */
export function disksOf(spec: GuestSpec, before: FakeDisks = {}): FakeDisks {
  return Object.fromEntries(
    spec.disks.map(({ id, size_gb, source }) => {
      const { contents = source.type === 'image' ? [source.image.id] : [], counted } = before[id] ?? {}
      return [id, { size_gb, contents, ...(counted && { counted }) }]
    }),
  )
}
