/** The files that hold the bytes of images. A file has its final name only when it is whole, checked and on disk. */
import { createReadStream } from 'node:fs'
import { constants, copyFile, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { PayloadTooLarge } from '#kernel/errors.ts'
import { hasherOf } from './hasher.ts'

/** A file that is being written; not yet the image's. */
export const partOf = (path: string) => `${path}.part`

export interface Written {
  size: number
  md5: string
  sha512: string
}

export interface WriteOptions {
  maxBytes: number
  /** Called whenever bytes came. */
  progressed?: (() => void) | undefined
  /** Gives the stream up when aborted. */
  signal?: AbortSignal | undefined
}

/** Streams bytes to a file and hashes them. A stream that is not read to its end stays open: it may be a request that still wants its answer. */
export async function writePart(path: string, bytes: Readable, options: WriteOptions): Promise<Written> {
  const { maxBytes, progressed, signal } = options
  // Opened before the first byte: a stream that is given up while it still opens its file would make the file after it was removed.
  const file = await open(partOf(path), 'w', 0o600)
  const target = file.createWriteStream({ flush: true })
  await using hasher = hasherOf(partOf(path))
  let size = 0
  async function* hashed() {
    for await (const piece of bytes.iterator({ destroyOnReturn: false })) {
      const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece
      size += chunk.length
      progressed?.()
      if (size > maxBytes) throw new PayloadTooLarge(`The incoming image is too large: the limit is ${maxBytes} bytes.`)
      hasher.update(chunk, target.bytesWritten)
      yield chunk
    }
  }
  const giveUp = () => bytes.destroy(signal?.reason)
  signal?.addEventListener('abort', giveUp, { once: true })
  await pipeline(hashed, target)
  return { size, ...(await hasher.digest(size)) }
}

/** Gives a whole part its final name, for good. */
export async function keepPart(directory: string, path: string): Promise<void> {
  await rename(partOf(path), path)
  const folder = await open(directory)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

export function readBlob(path: string, range?: { start: number; end: number }, signal?: AbortSignal): Readable {
  return createReadStream(path, { ...range, highWaterMark: 262_144, ...(signal && { signal }) })
}

export async function removeBlob(path: string): Promise<void> {
  await rm(path, { force: true })
}

/** Files in the folder and when they were last written, in milliseconds. */
export async function listBlobs(directory: string): Promise<{ name: string; modified: number }[]> {
  const found: { name: string; modified: number }[] = []
  for (const name of await readdir(directory)) {
    const about = await stat(join(directory, name)).catch(() => undefined)
    if (about?.isFile()) found.push({ name, modified: about.mtimeMs })
  }
  return found
}

/** Copies a whole file into another folder, sharing its blocks where the file system can. It appears there whole or not at all. */
export async function copyBlob(from: string, to: string): Promise<void> {
  await copyFile(from, partOf(to), constants.COPYFILE_FICLONE)
  await using file = await open(partOf(to))
  await file.sync()
  await keepPart(dirname(to), to)
}
