/** Files in memory in place of the machine's: nothing waits for a real disk, so a run repeats, and the disk fills up when told to. */
import crypto from 'node:crypto'
import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'

/** Paths that are in memory begin so; all others are the machine's. */
export const memory = '/simulated/'

export interface Files {
  /** Path to content. */
  readonly all: Map<string, Buffer>
  /** So many writes from now on find the disk full. */
  full: number
  /** Called when one did. */
  refused: () => void
  /** Milliseconds since the epoch, for times of change. */
  now: () => number
}

let current: Files | undefined
let installed = false

/** The next run's files. Only one run at a time may have files. */
export function newFiles(now: () => number): Files {
  install()
  current = { all: new Map(), full: 0, refused() {}, now }
  return current
}

function files(): Files {
  if (!current) throw new Error('no run has files now')
  return current
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), { code: 'ENOENT' })
}

function contentOf(path: string): Buffer {
  const content = files().all.get(path)
  if (!content) throw missing(path)
  return content
}

function mayWrite(): void {
  const disk = files()
  if (disk.full <= 0) return
  disk.full--
  disk.refused()
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}

/** A file handle, as far as the cloud uses one. */
function handle(path: string) {
  const pieces: Buffer[] = []
  const close = async () => {}
  return {
    async stat() {
      return { size: contentOf(path).length }
    },
    async read(buffer: Buffer, offset: number, length: number, position: number) {
      const bytesRead = contentOf(path)
        .subarray(position, position + length)
        .copy(buffer, offset)
      return { buffer, bytesRead }
    },
    async sync() {
      mayWrite()
    },
    close,
    [Symbol.asyncDispose]: close,
    async write(bytes: Buffer, offset = 0) {
      mayWrite()
      const rest = Buffer.from(bytes.subarray(offset))
      pieces.push(rest)
      files().all.set(path, Buffer.concat(pieces))
      return { bytesWritten: rest.length }
    },
  }
}

const simulated = {
  async open(path: string, flags = 'r') {
    if (flags.startsWith('w')) {
      mayWrite()
      files().all.set(path, Buffer.alloc(0))
    } else if (!isFolder(path)) contentOf(path)
    return handle(path)
  },
  async readdir(path: string) {
    const inside = `${path.replace(/\/$/, '')}/`
    return [...files().all.keys()].filter(name => name.startsWith(inside)).map(name => name.slice(inside.length))
  },
  async rename(from: string, to: string) {
    files().all.set(to, contentOf(from))
    files().all.delete(from)
  },
  async rm(path: string) {
    files().all.delete(path)
  },
  async stat(path: string) {
    const { length } = contentOf(path)
    return { isFile: () => true, size: length, mtimeMs: files().now() }
  },
  async access(path: string) {
    contentOf(path)
  },
  async mkdir() {},
  async copyFile(from: string, to: string) {
    mayWrite()
    files().all.set(to, contentOf(from))
  },
}

const isFolder = (path: string) => [...files().all.keys()].some(name => dirname(name) === path) || !path.includes('.')

/** Puts the files in memory in place of `node:fs`, and makes the rest of the machine the same every time. */
function install(): void {
  if (installed) return
  installed = true
  const real = { ...promises } as unknown as Record<string, (...all: unknown[]) => unknown>
  for (const [name, act] of Object.entries(simulated)) {
    const original = real[name]!
    const either = (path: unknown, ...rest: unknown[]) =>
      String(path).startsWith(memory)
        ? (act as (...all: unknown[]) => unknown)(path as string, ...rest)
        : original(path, ...rest)
    Object.assign(promises, { [name]: either })
  }
  const { createReadStream } = fs
  Object.assign(fs, {
    createReadStream(path: string, options?: { start?: number; end?: number }) {
      if (!String(path).startsWith(memory)) return createReadStream(path, options as never)
      const end = options?.end === undefined ? undefined : options.end + 1
      const content = files().all.get(path)
      if (!content) return Readable.from(failing(missing(path)))
      return Readable.from([content.subarray(options?.start ?? 0, end)])
    },
  })
  const { argon2Sync } = crypto
  Object.assign(crypto, {
    // In turn: two hashes on two threads end in any order.
    argon2(name: string, options: unknown, done: (error: Error | null, key?: Buffer) => void) {
      const key = argon2Sync(name as never, options as never)
      queueMicrotask(() => done(null, key))
    },
  })
  Object.assign(os, { loadavg: () => [0, 0, 0], uptime: () => 1000, networkInterfaces: () => ({}) })
  syncBuiltinESMExports()
}

// biome-ignore lint/correctness/useYield: a stream that fails before its first byte
async function* failing(error: Error): AsyncGenerator<Buffer> {
  throw error
}
