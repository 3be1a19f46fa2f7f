/** The disks of fake guests: what is on them, and an empty but valid qcow2 file in memory for snapshots of them. */
import type { GuestSpec } from './driver.ts'

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
export type FakeDisks = Record<string, { size_gb: number; contents: string[] }>

/** Disks as the spec names them; those that were there keep what is on them. */
export function disksOf(spec: GuestSpec, before: FakeDisks = {}): FakeDisks {
  return Object.fromEntries(
    spec.disks.map(({ id, size_gb, source }) => [
      id,
      { size_gb, contents: before[id]?.contents ?? (source.type === 'image' ? [source.image.id] : []) },
    ]),
  )
}
