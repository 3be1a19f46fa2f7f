/** Images kept on the host: downloaded once, checked while they stream, shared by guests as read-only bases, aged out. */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { chore } from '#kernel/chores.ts'
import { messageOf } from '#kernel/errors.ts'
import { GuestError, type ImageSource, type ImageSpec, type StoredBytes } from '../driver.ts'
import { freeBytes, give, needSpace, noRoom, type QemuHost, syncDir } from './host.ts'
import type { PurgeImages } from './purge-images.ts'
import { qcow2VirtualSize } from './qcow2.ts'
import { diskFull, run } from './run.ts'

export interface ImageCache {
  /** Whether the image is there, whole. */
  has(image: ImageSpec): Promise<boolean>
  /** The name of the image's file in the cache, downloaded when it is not there. */
  fetch(image: ImageSpec, signal: AbortSignal): Promise<string>
  /** Notes that the file is in use now. */
  touch(name: string): Promise<void>
  /** Removes, in a process of its own, files that no guest has, that are not `inUse`, and that were not touched for `maxAgeMs`; the bytes freed. */
  purge(maxAgeMs: number, inUse: readonly string[]): Promise<number>
  /** Removes what interrupted downloads left. */
  sweep(): Promise<void>
}

const purging = new URL('purge-images.ts', import.meta.url)

interface Download {
  done: Promise<void>
  abort: AbortController
  waiting: number
}

/** The digest is part of the name: bytes that were checked under another digest are never used. */
export function cachedName(image: ImageSpec): string {
  const name = `${image.id}-${image.hash_value.slice(0, 16)}${image.stored_as ? `.${image.disk_format}` : ''}`
  if (!/^[\w-][\w.-]{0,127}$/.test(name))
    throw new GuestError(`The image id ${JSON.stringify(image.id)} is not usable.`)
  return name
}

/** Whether the host makes the file of what is stored, which is another. */
const isMade = ({ stored_as, bases }: ImageSpec) => stored_as !== undefined || bases !== undefined

export function imageCache(host: QemuHost, source: ImageSource): ImageCache {
  const downloads = new Map<string, Download>()
  const pathOf = (name: string) => join(host.images, name)

  async function touch(name: string) {
    const now = host.clock.now() / 1000
    await utimes(pathOf(name), now, now).catch(() => {})
  }

  async function isCached(image: ImageSpec, name: string) {
    const found = await stat(pathOf(name)).catch(() => undefined)
    return isMade(image) ? found !== undefined : found?.size === image.size
  }

  function begin(image: ImageSpec, name: string): Download {
    const abort = new AbortController()
    const done = download(host, source, image, pathOf(name), abort.signal).finally(() => downloads.delete(name))
    done.catch(() => {})
    const begun = { done, abort, waiting: 0 }
    downloads.set(name, begun)
    return begun
  }

  return {
    has: image => isCached(image, cachedName(image)),
    touch,
    async fetch(image, signal) {
      const name = cachedName(image)
      signal.throwIfAborted()
      if (await isCached(image, name)) {
        await touch(name)
        return name
      }
      // One that was given up is no help, and has to be out of the way.
      for (let old = downloads.get(name); old?.abort.signal.aborted; old = downloads.get(name))
        await old.done.catch(() => {})
      const download = downloads.get(name) ?? begin(image, name)
      download.waiting++
      try {
        await orAborted(download.done, signal)
      } finally {
        // The download ends with the last one that waits for it.
        if (--download.waiting === 0) download.abort.abort(signal.reason)
      }
      await touch(name)
      return name
    },
    purge: (max_age_ms, inUse) =>
      chore<PurgeImages, number>(purging, {
        ...{ images: host.images, instances: host.instances },
        ...{ in_use: [...inUse, ...downloads.keys()], now: host.clock.now(), max_age_ms },
      }),
    async sweep() {
      for (const name of await readdir(host.images)) if (name.endsWith('.part')) await rm(pathOf(name), { force: true })
    },
  }
}

async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function download(host: QemuHost, source: ImageSource, image: ImageSpec, path: string, signal: AbortSignal) {
  const { bases = [] } = image
  const stored = [image, ...bases]
  const bytes = stored.reduce((sum, { size }) => sum + size, 0)
  await needSpace(host, host.images, bytes, `image ${image.id}`)
  const part = `${path}.part`
  const parts = [part, ...bases.map((_, index) => part.replace(/part$/, `base${index}.part`))]
  try {
    for (const [index, each] of stored.entries()) await fetchStored(source, each, parts[index]!, signal)
    const whole = isMade(image) ? await converted(host, image, parts, signal) : part
    await giveToGroup(host, whole)
    await rename(whole, path)
    await syncDir(host.images)
  } catch (error) {
    await rm(convertedPart(part), { force: true })
    if (signal.aborted) throw signal.reason
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw diskFull(error)
    if (error instanceof GuestError) throw error
    throw new GuestError(`Image ${image.id} could not be downloaded: ${messageOf(error)}`, { cause: error })
  } finally {
    for (const each of parts) await rm(each, { force: true })
  }
}

/** Writes bytes that are those which were promised. */
async function fetchStored(source: ImageSource, stored: StoredBytes, part: string, signal: AbortSignal): Promise<void> {
  const hash = hasher(stored)
  const check = new Transform({
    transform(chunk: Buffer, _, done) {
      done(hash.add(chunk), chunk)
    },
    flush: done => done(hash.verdict()),
  })
  const bytes = await source.open(stored, signal)
  await pipeline(bytes, check, createWriteStream(part, { mode: 0o640, flush: true }), { signal })
}

/** Also swept, when it is interrupted. */
const convertedPart = (part: string) => part.replace(/part$/, 'converted.part')

/** A copy in the image's `disk_format`. The image service has looked at these bytes: they name no other files. */
async function converted(host: QemuHost, image: ImageSpec, parts: string[], signal: AbortSignal): Promise<string> {
  const to = convertedPart(parts[0]!)
  const source = image.bases ? await chainOf(parts) : blockOf(image.stored_as!, parts[0]!)
  const args = ['convert', '-O', image.disk_format, `json:${JSON.stringify(source)}`, basename(to)]
  const { fileBytes, tooLarge } = boundOf(image, await freeBytes(host.images))
  await run('qemu-img', args, { cwd: host.images, signal, fileBytes, tooLarge, endsWithUs: true })
  await using file = await open(to)
  await file.sync()
  return to
}

const blockOf = (driver: string, part: string) => ({ driver, file: { driver: 'file', filename: basename(part) } })

/** Each stands on the next one, as is said here: what their headers name is not opened, and what would be all the same is refused. */
async function chainOf(parts: string[]): Promise<Record<string, unknown>> {
  let chain: Record<string, unknown> | null = null
  for (const part of parts.toReversed()) {
    await qcow2VirtualSize(part)
    chain = { ...blockOf('qcow2', part), backing: chain }
  }
  return chain!
}

/** A copy as qcow2 has tables too: so much for each byte of the disk at most, and this besides. */
const tableShare = 1 / 4096
const tableBytes = 4 * 1024 * 1024

/** A small file may hold a large disk: what a copy of it may take is what the image says, and what the host has. */
export function boundOf({ id, virtual_size }: Pick<ImageSpec, 'id' | 'virtual_size'>, free: number) {
  const most = virtual_size === undefined ? undefined : Math.ceil(virtual_size * (1 + tableShare)) + tableBytes
  const what = `image ${id}, whose disk is larger than its file`
  if (most === undefined || free < most)
    return { fileBytes: Math.max(0, free), tooLarge: () => noRoom(what, most ?? free, free) }
  const tooLarge = () =>
    new GuestError(`Image ${id} is corrupt: it holds more than the ${virtual_size} bytes it promised.`)
  return { fileBytes: most, tooLarge }
}

/** QEMU reads images, and must not be able to change them. */
async function giveToGroup(host: QemuHost, path: string) {
  if (host.user) await give({ ...host, user: { uid: 0, gid: host.user.gid } }, path, 0o640)
}

function hasher(image: StoredBytes) {
  const wrong = (what: string) =>
    new GuestError(`Image ${image.id} is corrupt: its ${what} is not what the image service promised.`)
  let hash: ReturnType<typeof createHash>
  try {
    hash = createHash(image.hash_algo)
  } catch (cause) {
    throw new GuestError(`Image ${image.id} has a digest of the unknown kind ${JSON.stringify(image.hash_algo)}.`, {
      cause,
    })
  }
  let size = 0
  return {
    add(chunk: Buffer) {
      size += chunk.length
      hash.update(chunk)
      return size > image.size ? wrong('size') : null
    },
    verdict() {
      if (size !== image.size) return wrong('size')
      return hash.digest('hex') === image.hash_value.toLowerCase() ? null : wrong('digest')
    },
  }
}
