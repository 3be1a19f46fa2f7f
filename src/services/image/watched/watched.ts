/** The files of a watched folder, which others may write to at any time: what is in it, and the bytes of one that is as it was registered. */
import { constants, lstat, open, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Env } from '#kernel/context.ts'
import type { Range } from '../blob-store.ts'
import { storesOf } from '../stores.ts'
import { type WatchedRow, watched } from './store.ts'

export type About = Pick<WatchedRow, 'size' | 'changed'>

/** What people call disks. Other files are left alone: any bytes would do for a raw disk. */
const disk = /^(?!\.).{1,200}\.(qcow2|raw|img|vmdk|vdi|vhd|vhdx|iso)$/i

const mostFiles = 10_000

/** No link is followed, and nobody is waited for who would write to a pipe. */
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

export const pathOf = async (env: Env, store: string, file: string) =>
  join(await storesOf(env).directoryOf(store), file)

export const urlOfFile = (path: string) => pathToFileURL(path).href

/** Undefined when there is no such file, or only a link. Throws when nobody can tell: a share may not answer. */
export async function aboutFile(path: string): Promise<About | undefined> {
  const found = await lstat(path).catch(error => {
    if (error.code !== 'ENOENT') throw error
  })
  return found?.isFile() ? aboutOf(found) : undefined
}

/** Which folder it is that the name stands for at present: another one while a share is not mounted there. */
async function identityOf(env: Env, store: string): Promise<string> {
  const { dev, ino } = await stat(await storesOf(env).directoryOf(store))
  return `${dev}:${ino}`
}

const aboutOf = ({ size, ctimeMs }: { size: number; ctimeMs: number }): About => ({ size, changed: String(ctimeMs) })

export const isAlike = (one: About, other: About) =>
  Number(one.size) === Number(other.size) && one.changed === other.changed

/** The disks in a folder, and which folder it was. Throws when it cannot be read, or became another one meanwhile. */
export async function readFolder(env: Env, store: string, read = disksIn) {
  const identity = await identityOf(env, store)
  const files = await read(env, store)
  if ((await identityOf(env, store)) === identity) return { identity, files }
  throw new Error('its share was mounted or unmounted meanwhile')
}

/** By name. Throws when the folder cannot be read. */
export async function disksIn(env: Env, store: string): Promise<Map<string, About>> {
  const folder = await storesOf(env).directoryOf(store)
  const found = new Map<string, About>()
  for (const name of (await readdir(folder)).filter(one => disk.test(one)).sort()) {
    if (found.size === mostFiles) {
      env.log.warn({ store, mostFiles }, 'a watched folder has more files than are looked at')
      break
    }
    const about = await aboutFile(join(folder, name))
    if (about) found.set(name, about)
  }
  return found
}

/** The bytes of the file that was registered as the image. Throws when it is another by now. */
export async function openWatched(
  env: Env,
  { image_id, store, url }: { image_id: string; store: string; url: string },
  range?: Range,
  signal?: AbortSignal,
): Promise<Readable> {
  const file = basename(fileURLToPath(url))
  const row = await watched.find(env.database.root, { store, file, image_id, state: 'registered' })
  const handle = await open(await pathOf(env, store, file), flags)
  if (row && isAlike(row, aboutOf(await handle.stat())))
    return handle.createReadStream({ ...range, highWaterMark: 262_144, ...(signal && { signal }) })
  await handle.close()
  throw new Error(`${file} is not the file any more that was registered`)
}
