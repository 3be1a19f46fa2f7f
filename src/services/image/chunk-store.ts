/**
 * A folder in which images share what they have in common. Each is cut into chunks of one size; a chunk is kept once, under its hash, and an image is
 * a folder of hard links to its chunks in order. So the count of links says which chunks are of no image any more.
 */
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { BlobStore, Put, Range } from './blob-store.ts'
import { partOf } from './blobs/blob.ts'

/** One of an image's: `0000002a.` and the hash, so that names sort as the bytes stand. */
const entryOf = (index: number, hash: string) => `${index.toString(16).padStart(8, '0')}.${hash}`
const hashOf = (entry: string) => entry.slice(9)

/** Where each chunk is once, in as many folders as there are beginnings of hashes. */
const pool = 'chunks'

const chunkBytes = 1024 * 1024

const codeOf = (error: unknown) => (error as { code?: string }).code

export function chunkStore(directory: string): BlobStore {
  const at = (...names: string[]) => join(directory, ...names)
  const inPool = (hash: string) => at(pool, hash.slice(0, 2), hash)
  let swept: Promise<void> | undefined

  async function put(blob: string, file: string, { progressed, signal }: Put = {}): Promise<void> {
    const part = at(partOf(blob))
    await rm(part, { recursive: true, force: true })
    await mkdir(part, { recursive: true, mode: 0o700 })
    await using source = await open(file)
    const buffer = Buffer.allocUnsafeSlow(chunkBytes)
    for (let index = 0; ; index++) {
      signal?.throwIfAborted()
      const chunk = await fill(source, buffer, index * chunkBytes)
      if (chunk.length === 0) break
      await keep(part, index, chunk)
      progressed?.()
    }
    await syncFolder(part)
    await remove(blob)
    await rename(part, at(blob))
    await syncFolder(directory)
  }

  /** Names a chunk in an image: the one that is there already, or a new one. */
  async function keep(part: string, index: number, chunk: Buffer<ArrayBuffer>): Promise<void> {
    const hash = Buffer.from(await crypto.subtle.digest('SHA-256', chunk)).toString('hex')
    const entry = join(part, entryOf(index, hash))
    try {
      return await link(inPool(hash), entry)
    } catch (error) {
      // A file can only have so many names: what is linked too often already is kept once more.
      if (codeOf(error) === 'EMLINK') await rm(inPool(hash), { force: true })
      else if (codeOf(error) !== 'ENOENT') throw error
    }
    await write(entry, chunk)
    await mkdir(at(pool, hash.slice(0, 2)), { recursive: true, mode: 0o700 })
    await link(entry, inPool(hash)).catch(error => {
      // Another image has brought the same chunk meanwhile: there are two of it then.
      if (codeOf(error) !== 'EEXIST') throw error
    })
  }

  /** Removes an image, whole or in part, and the chunks that no other has. */
  async function remove(name: string): Promise<void> {
    const entries = await readdir(at(name)).catch(() => [])
    await rm(at(name), { recursive: true, force: true })
    for (const hash of new Set(entries.map(hashOf))) await dropUnused(inPool(hash))
  }

  /** Whoever links a chunk at the same moment keeps its bytes by that link. */
  async function dropUnused(chunk: string): Promise<void> {
    const { nlink } = await stat(chunk).catch(() => ({ nlink: 0 }))
    if (nlink === 1) await unlink(chunk).catch(() => {})
  }

  /** Drops the chunks that a process which was killed has left. */
  async function sweep(): Promise<void> {
    for (const folder of await readdir(at(pool)).catch(() => []))
      for (const chunk of await readdir(at(pool, folder)).catch(() => [])) await dropUnused(at(pool, folder, chunk))
  }

  async function* read(blob: string, entries: string[], { start, end }: Range, signal?: AbortSignal) {
    // What another release has stored may be cut otherwise.
    const length = (await stat(at(blob, entries[0]!))).size
    for (let index = Math.floor(start / length); index < entries.length && index * length <= end; index++) {
      const chunk = await readFile(at(blob, entries[index]!), signal && { signal })
      yield chunk.subarray(Math.max(0, start - index * length), end - index * length + 1)
    }
  }

  return {
    put,
    async open(blob, range = { start: 0, end: Number.MAX_SAFE_INTEGER }, signal) {
      const entries = (await readdir(at(blob))).sort()
      return Readable.from(entries.length === 0 ? [] : read(blob, entries, range, signal))
    },
    remove,
    async list() {
      swept ??= sweep()
      await swept
      const found: { name: string; modified: number }[] = []
      for (const name of await readdir(directory)) {
        const about = name === pool ? undefined : await stat(at(name)).catch(() => undefined)
        if (about?.isDirectory()) found.push({ name, modified: about.mtimeMs })
      }
      return found
    },
  }
}

/** The bytes from there on, as many as fit and are there. */
async function fill(file: FileHandle, buffer: Buffer<ArrayBuffer>, from: number): Promise<Buffer<ArrayBuffer>> {
  let size = 0
  while (size < buffer.length) {
    const { bytesRead } = await file.read(buffer, size, buffer.length - size, from + size)
    if (bytesRead === 0) break
    size += bytesRead
  }
  return buffer.subarray(0, size)
}

async function write(path: string, bytes: Buffer): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(bytes)
  await file.sync()
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path)
  await folder.sync()
}
