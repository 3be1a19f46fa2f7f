/**
 * Copies what changed on a guest's root disk since an earlier copy. QEMU keeps count in a bitmap that is named after the copy's image, lies in the
 * disk's own file and so comes along wherever that goes. A new one begins at the very moment of each copy, and the one that the copy is made by stays
 * as it is: whether the copy became an image is known by which of them the next order names.
 */
import { join } from 'node:path'
import { type Backup, type BackupOrder, GuestError } from '../driver.ts'
import { type DiskFile, diskNode, type Machine } from './command-line.ts'
import { type GuestFiles, needSpace, type QemuHost } from './host.ts'
import { withIdleDisk } from './idle-disk.ts'
import { qcow2VirtualSize } from './qcow2.ts'
import { whileFrozen } from './quiesce.ts'
import type { Session } from './session.ts'
import { allocated, copyBy, copyJob, copyName, type Monitor, removeSnapshots, unnamed } from './snapshot.ts'

const prefix = 'backup-'
const bitmapOf = (image_id: string) => {
  if (!/^[\w-]{1,64}$/.test(image_id)) throw new GuestError(`The image id ${JSON.stringify(image_id)} is not usable.`)
  return `${prefix}${image_id}`
}

interface Bitmap {
  name: string
  /** In bytes. */
  count: number
  recording: boolean
  /** QEMU ended without writing it down: it says nothing. */
  inconsistent?: boolean
}

/** Like a snapshot; the guest may run or not. */
export async function backupDisk(
  host: QemuHost,
  files: GuestFiles,
  session: Session | undefined,
  machine: Machine,
  disk: DiskFile,
  order: BackupOrder,
  signal: AbortSignal,
): Promise<Backup> {
  if (disk.encrypted) throw new GuestError('A disk that is encrypted is not copied to where it would not be.')
  const copy = async (monitor: Monitor, still: <T>(work: () => Promise<T>) => Promise<T>) => {
    const since = await countedSince(monitor, disk, order)
    await needSpace(host, files.dir, since ? since.count : await allocated(files, disk), 'the backup')
    await copyBy(host, files, monitor, disk, signal, () => still(() => begin(monitor, disk, order, since)))
    return since
  }
  const quiet = { host, files, machine, running: session?.status === 'running' }
  try {
    const since = session
      ? await copy(session, work => whileFrozen(quiet, work))
      : await withIdleDisk(host, files, disk, signal, monitor => copy(monitor, work => work()))
    // QEMU could write what it likes into the copy: it must be a plain disk before a tool of ours, or a user, gets it.
    await qcow2VirtualSize(join(files.dir, copyName))
    const bytes = await unnamed(files, copyName)
    return { bytes, ...(since && order.since && { base: order.since.image_id }) }
  } finally {
    await removeSnapshots(files)
  }
}

/** The bitmap of the backup that is named, when it says what changed since; all others go. */
async function countedSince(monitor: Monitor, disk: DiskFile, { since }: BackupOrder): Promise<Bitmap | undefined> {
  const node = diskNode(disk.id)
  const wanted = since?.bytes === disk.bytes ? bitmapOf(since.image_id) : undefined
  const nodes = await monitor.execute<{ 'node-name': string; 'dirty-bitmaps'?: Bitmap[] }[]>(
    'query-named-block-nodes',
    { flat: true },
  )
  let found: Bitmap | undefined
  for (const bitmap of nodes.find(each => each['node-name'] === node)?.['dirty-bitmaps'] ?? []) {
    if (!bitmap.name.startsWith(prefix)) continue
    if (bitmap.name === wanted && bitmap.recording && !bitmap.inconsistent) found = bitmap
    else await monitor.execute('block-dirty-bitmap-remove', { node, name: bitmap.name })
  }
  return found
}

/** Both at one moment, or neither. */
async function begin(monitor: Monitor, disk: DiskFile, { image_id }: BackupOrder, since: Bitmap | undefined) {
  const what = since ? { sync: 'bitmap', bitmap: since.name, 'bitmap-mode': 'never' } : { sync: 'full' }
  const bitmap = { node: diskNode(disk.id), name: bitmapOf(image_id), persistent: true }
  await monitor.execute('transaction', {
    actions: [
      { type: 'block-dirty-bitmap-add', data: bitmap },
      { type: 'blockdev-backup', data: { ...copyJob(disk), ...what } },
    ],
  })
}
