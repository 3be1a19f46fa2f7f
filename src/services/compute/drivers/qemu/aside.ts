/** Guests that are set aside: their directories under another name, where nothing looks for guests. */
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GuestError } from '../driver.ts'
import { exists, type GuestFiles, give, guestFiles, needSpace, type QemuHost, syncDir } from './host.ts'
import { checkOverlay } from './qcow2.ts'
import { readRecord, writeRecord } from './record.ts'
import { run } from './run.ts'
import { allocatedBytes } from './snapshot.ts'

/** Files of what is aside of a guest. */
export const asideFiles = (host: QemuHost, id: string): GuestFiles => filesBeside(host, id, 'aside')

/** At the same depth as the guest's own, so that paths to its base images stay right. */
export function filesBeside(host: QemuHost, id: string, suffix: 'aside' | 'kept'): GuestFiles {
  const dir = `${guestFiles(host, id).dir}.${suffix}`
  const within = (name: string) => join(dir, name)
  return {
    dir,
    record: within('guest.json'),
    run: within('run'),
    monitor: within('run/qmp'),
    consoleLog: within('console.log'),
    qemuLog: within('qemu.log'),
    memory: within('memory.state'),
    configDrive: within('config-drive'),
  }
}

/** The guest must be off. */
export async function putAside(host: QemuHost, id: string): Promise<void> {
  await rename(guestFiles(host, id).dir, asideFiles(host, id).dir)
  await syncDir(host.instances)
}

/** Its place must be free. */
export async function takeBack(host: QemuHost, id: string): Promise<void> {
  await rename(asideFiles(host, id).dir, guestFiles(host, id).dir)
  await syncDir(host.instances)
}

export async function dropAside(host: QemuHost, id: string): Promise<void> {
  const { dir, record } = asideFiles(host, id)
  if (!(await exists(dir))) return
  await rm(record, { force: true })
  await rm(dir, { recursive: true, force: true })
}

/** Makes a guest of a copy of what is aside. Its place must be free; the record comes last. */
export async function copyAside(host: QemuHost, id: string, signal: AbortSignal): Promise<void> {
  const from = asideFiles(host, id)
  const to = guestFiles(host, id)
  const record = await readRecord(from)
  if (!record) throw new GuestError(`Guest ${id} is not set aside on this host.`)
  let bytes = 0
  for (const disk of record.machine.disks) bytes += await allocatedBytes(join(from.dir, disk.file))
  await needSpace(host, host.instances, bytes, 'a copy of the disks')
  await mkdir(to.dir, { mode: 0o711 })
  const config = record.machine.config_drive ? ['config-drive'] : []
  for (const disk of record.machine.disks) await checkOverlay(join(from.dir, disk.file), disk)
  for (const name of [...record.machine.disks.map(disk => disk.file), ...config]) {
    const paths = [join(from.dir, name), join(to.dir, name)] as const
    await run('cp', ['--reflink=auto', '--sparse=always', '--', ...paths], { cwd: to.dir, signal })
    await give(host, paths[1], 0o600)
  }
  await writeRecord(to, record)
}
