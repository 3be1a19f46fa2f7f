/** Copies a guest's root disk, flattened and consistent in time, whether the guest runs or not. */
import { createReadStream } from 'node:fs'
import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { GuestError } from '../driver.ts'
import { blockdev, type DiskFile, diskNode, type Machine } from './command-line.ts'
import { type GuestFiles, give, needSpace, type QemuHost } from './host.ts'
import { checkOverlay, qcow2VirtualSize } from './qcow2.ts'
import { whileFrozen } from './quiesce.ts'
import { run } from './run.ts'
import type { Session } from './session.ts'

/** QEMU's names of the copy and of the job that makes it. */
export const copyNode = 'snapshot'
export const copyName = 'snapshot.qcow2'

/** A QEMU that has the disk open. */
export type Monitor = Pick<Session, 'execute' | 'onQmpEvent' | 'exited'>

/** A stream of the copy; the copy itself has no name any more, so nothing can be left behind. */
export async function snapshotDisk(
  host: QemuHost,
  files: GuestFiles,
  session: Session | undefined,
  machine: Machine,
  disk: DiskFile,
  format: 'raw' | 'qcow2',
  signal: AbortSignal,
): Promise<Readable> {
  if (disk.encrypted) throw new GuestError('A disk that is encrypted is not copied to where it would not be.')
  await needSpace(host, files.dir, await allocated(files, disk), 'the snapshot')
  try {
    if (session) await backup(host, files, session, machine, disk, signal)
    else await convert(files, await overlay(files, disk), { as: copyName, format: 'qcow2' }, signal)
    // QEMU could write what it likes into the copy: it must be a plain disk before a tool of ours, or a user, gets it.
    await qcow2VirtualSize(join(files.dir, copyName))
    if (format === 'qcow2') return await unnamed(files, copyName)
    const copy = { driver: 'qcow2', backing: null, file: { driver: 'file', filename: copyName } }
    await convert(files, copy, { as: 'snapshot.raw', format: 'raw' }, signal)
    return await unnamed(files, 'snapshot.raw')
  } finally {
    await removeSnapshots(files)
  }
}

/** What an interrupted snapshot left: the job in QEMU and the files. */
export async function abandonSnapshot(files: GuestFiles, session: Monitor | undefined): Promise<void> {
  if (session) {
    await session.execute('block-job-cancel', { device: copyNode, force: true }).catch(() => {})
    await session.execute('blockdev-del', { 'node-name': copyNode }).catch(() => {})
  }
  await removeSnapshots(files)
}

export async function removeSnapshots(files: GuestFiles) {
  for (const name of await readdir(files.dir)) {
    if (name.startsWith('snapshot.')) await rm(join(files.dir, name), { force: true })
  }
}

/** QEMU copies the disk as it is when the job starts, base included, while the guest writes on: it need stand still for that moment only. */
async function backup(
  host: QemuHost,
  files: GuestFiles,
  session: Session,
  machine: Machine,
  disk: DiskFile,
  signal: AbortSignal,
) {
  const job = { ...copyJob(disk), sync: 'full' }
  const quiet = { host, files, machine, running: session.status === 'running' }
  const start = () => whileFrozen(quiet, () => session.execute('blockdev-backup', job))
  await copyBy(host, files, session, disk, signal, start)
}

export const copyJob = (disk: DiskFile) => ({ 'job-id': copyNode, device: diskNode(disk.id), target: copyNode })

/** Makes an empty copy, opens it, and waits for the job that `start` begins. */
export async function copyBy(
  host: QemuHost,
  files: GuestFiles,
  monitor: Monitor,
  disk: DiskFile,
  signal: AbortSignal,
  start: () => Promise<unknown>,
) {
  await abandonSnapshot(files, monitor)
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', copyName, String(disk.bytes)], { cwd: files.dir, signal })
  await give(host, join(files.dir, copyName), 0o600)
  const file = { driver: 'file', filename: copyName }
  await monitor.execute('blockdev-add', { driver: 'qcow2', 'node-name': copyNode, backing: null, file })
  try {
    await jobDone(monitor, signal, start)
  } finally {
    await monitor.execute('block-job-cancel', { device: copyNode, force: true }).catch(() => {})
    await monitor.execute('blockdev-del', { 'node-name': copyNode }).catch(error => {
      host.log.warn({ err: error }, 'the target of a snapshot could not be closed')
    })
  }
}

/** Jobs dismiss themselves when they end, so the result is only in the event. */
async function jobDone(session: Monitor, signal: AbortSignal, start: () => Promise<unknown>): Promise<void> {
  const ended = Promise.withResolvers<void>()
  const stopListening = session.onQmpEvent(({ event, data }) => {
    if (data.device !== copyNode) return
    if (event === 'BLOCK_JOB_CANCELLED') ended.reject(new GuestError('The snapshot was cancelled.'))
    if (event !== 'BLOCK_JOB_COMPLETED') return
    if (data.error) ended.reject(new GuestError(`The snapshot failed: ${data.error}`))
    else ended.resolve()
  })
  const onAbort = () => ended.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await start()
    const gone = session.exited.then(() => Promise.reject(new GuestError('The guest ended during its snapshot.')))
    await Promise.race([ended.promise, gone])
  } finally {
    ended.promise.catch(() => {})
    signal.removeEventListener('abort', onAbort)
    stopListening()
  }
}

async function convert(
  files: GuestFiles,
  source: Record<string, unknown>,
  target: { as: string; format: string },
  signal: AbortSignal,
): Promise<void> {
  // As JSON the whole chain is spelt out: what the headers name is not opened.
  const args = ['convert', '-O', target.format, `json:${JSON.stringify(source)}`, target.as]
  await run('qemu-img', args, { cwd: files.dir, signal })
}

async function overlay(files: GuestFiles, disk: DiskFile): Promise<Record<string, unknown>> {
  await checkOverlay(join(files.dir, disk.file))
  const { 'node-name': _, ...chain } = blockdev(disk)
  return chain
}

/** At most this much will be copied: the base and what the guest wrote over it. */
export async function allocated(files: GuestFiles, disk: DiskFile): Promise<number> {
  let bytes = 0
  for (const path of [disk.file, ...(disk.base ? [disk.base.file] : [])])
    bytes += await allocatedBytes(join(files.dir, path))
  return bytes
}

/** What a file takes of the disk, holes left out. */
export async function allocatedBytes(path: string): Promise<number> {
  await using file = await open(path, 'r')
  return (await file.stat()).blocks * 512
}

export async function unnamed(files: GuestFiles, name: string): Promise<Readable> {
  const path = join(files.dir, name)
  const file = await open(path, 'r')
  await rm(path)
  return createReadStream(path, { fd: file, autoClose: true, highWaterMark: 1024 * 1024 })
}
