/** Disks of deleted guests that are kept for a while: their directories under another name, with a note of how long. */
import { readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { chore } from '#kernel/chores.ts'
import type { Keep, KeptFiles } from '../driver.ts'
import { filesBeside } from './aside.ts'
import { exists, type GuestFiles, guestFiles, type QemuHost, replaceFile, syncDir } from './host.ts'
import type { PurgeKept } from './purge-kept.ts'
import { allocatedBytes } from './snapshot.ts'

const note = 'kept.json'
const purging = new URL('purge-kept.ts', import.meta.url)

export const keptFilesOf = (host: QemuHost, id: string): GuestFiles => filesBeside(host, id, 'kept')

/** Puts a guest that is off and whole where nothing starts it; what may hold secrets of it, or is of no use without it, goes. */
export async function keepGuest(host: QemuHost, id: string, { until, free_percent }: Keep): Promise<void> {
  const files = guestFiles(host, id)
  for (const path of [files.memory, files.configDrive]) await rm(path, { force: true })
  await rm(files.run, { recursive: true, force: true })
  const deleted_at = new Date(host.clock.now()).toISOString()
  await replaceFile(join(files.dir, note), JSON.stringify({ until, free_percent, deleted_at }))
  await dropKept(host, id)
  await rename(files.dir, keptFilesOf(host, id).dir)
  await syncDir(host.instances)
}

export async function dropKept(host: QemuHost, id: string): Promise<void> {
  const { dir, record } = keptFilesOf(host, id)
  if (!(await exists(dir))) return
  await rm(record, { force: true })
  await rm(dir, { recursive: true, force: true })
}

export async function listKept(instances: string): Promise<KeptFiles[]> {
  const names = (await readdir(instances)).filter(name => name.endsWith('.kept'))
  return await Promise.all(names.map(name => readKept(join(instances, name), name.slice(0, -'.kept'.length))))
}

/** One whose removal was interrupted has no note any more: its time is over. */
async function readKept(dir: string, id: string): Promise<KeptFiles> {
  const text = await readFile(join(dir, note), 'utf8').catch(() => undefined)
  let bytes = 0
  for (const name of await readdir(dir).catch(() => [])) bytes += await allocatedBytes(join(dir, name)).catch(() => 0)
  const kept = text === undefined ? over : (JSON.parse(text) as typeof over)
  return { ...kept, id, bytes }
}

const longAgo = new Date(0).toISOString()
const over: Keep & { deleted_at: string } = { until: longAgo, deleted_at: longAgo, free_percent: 0 }

/** In a process of its own, when there is anything kept; until so many bytes are free. */
export async function purgeKept(host: QemuHost, wanted: number): Promise<string[]> {
  if (!(await readdir(host.instances)).some(name => name.endsWith('.kept'))) return []
  const input = { instances: host.instances, now: host.clock.now(), wanted }
  // A guest waits for room.
  return await chore<PurgeKept, string[]>(purging, input, { urgent: wanted > 0 })
}
