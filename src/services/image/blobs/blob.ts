/** The files that hold the bytes of images. A file has its final name only when it is whole, checked and on disk. */
import { createReadStream } from 'node:fs'
import { constants, copyFile, type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { PayloadTooLarge } from '#kernel/errors.ts'
import { hasherOf } from './hasher.ts'

const { IncomingMessage } = process.getBuiltinModule('node:http')

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

/** Writes the bytes of streams to a file and hashes them. One that is not read to its end stays open: it may be a request that still wants its answer. */
export async function writePart(path: string, streams: readonly Readable[], options: WriteOptions): Promise<Written> {
  const { maxBytes, progressed, signal } = options
  await using file = await open(partOf(path), 'w', 0o600)
  await using hasher = hasherOf(partOf(path))
  const giveUp = () => streams.forEach(stream => void stream.destroy(signal?.reason))
  signal?.addEventListener('abort', giveUp, { once: true })
  let size = 0
  for (const bytes of streams)
    for await (const piece of bytes.iterator({ destroyOnReturn: false })) {
      const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece
      progressed?.()
      if (size + chunk.length > maxBytes)
        throw new PayloadTooLarge(`The incoming image is too large: the limit is ${maxBytes} bytes.`)
      await writeAll(file, chunk)
      size += chunk.length
      hasher.update(chunk, size)
      // What came from a socket is nobody else's. The garbage collector would let dozens of MiB of it gather.
      if (bytes instanceof IncomingMessage) free(chunk)
    }
  await file.sync()
  return { size, ...(await hasher.digest(size)) }
}

/** Gives the memory of a piece back at once. Only for pieces of a socket, which nobody else has. */
function free({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0)
}

async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done)).bytesWritten
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
