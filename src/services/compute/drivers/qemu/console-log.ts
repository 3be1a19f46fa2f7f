/**
 * The serial console's log, bounded. QEMU appends what the guest prints to `console.log` (opened with O_APPEND). When that file outgrows its
 * bound its tail moves to `console.old` and it is cut to nothing; QEMU, which appends, goes on at its new end. This needs no process
 * beside QEMU and nothing of ours in the guest's way: while we are not running the guest prints on undisturbed, the first thing
 * after a restart is to trim, and until then RLIMIT_FSIZE (see `confine`) bounds the file.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { give, type QemuHost } from './host.ts'

/** QEMU could have put a link in the place of its log; it must not make us read or cut another file. */
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDONLY, O_RDWR } = constants

/** Makes sure that the file is there, owned by QEMU's user. */
export async function prepareConsoleLog(host: QemuHost, path: string): Promise<void> {
  await using _ = await open(path, O_CREAT | O_APPEND | O_RDWR | O_NOFOLLOW, 0o600)
  await give(host, path, 0o600)
}

/** Cuts `console.log` in `dir` when it holds more than `keep` bytes. What is printed in the instant between copy and cut is lost. */
export async function trimConsoleLog(dir: string, keep: number): Promise<void> {
  await using file = await open(join(dir, 'console.log'), O_RDWR | O_NOFOLLOW)
  const { size } = await file.stat()
  if (size <= keep) return
  const tail = await readTail(file, size, keep)
  const part = join(dir, 'console.old.part')
  {
    await using old = await open(part, 'w', 0o600)
    await old.writeFile(tail)
  }
  await rename(part, join(dir, 'console.old'))
  await file.truncate(0)
}

/** The last `keep` bytes of what the guest printed. */
export async function readConsoleLog(dir: string, keep: number): Promise<string> {
  const newest = await tailOf(join(dir, 'console.log'), keep)
  const older = newest.length < keep ? await tailOf(join(dir, 'console.old'), keep - newest.length) : Buffer.alloc(0)
  return Buffer.concat([older, newest]).toString('utf8')
}

export function lastLines(text: string, lines: number | undefined): string {
  if (lines === undefined) return text
  if (lines <= 0) return ''
  let at = text.endsWith('\n') ? text.length - 1 : text.length
  for (let left = lines; left > 0 && at >= 0; left--) at = at === 0 ? -1 : text.lastIndexOf('\n', at - 1)
  return text.slice(at + 1)
}

/** QEMU's own messages are few unless something goes very wrong; then the oldest are dropped. */
export async function trimQemuLog(path: string, keep: number): Promise<void> {
  await using file = await open(path, O_RDWR | O_NOFOLLOW)
  if ((await file.stat()).size > keep) await file.truncate(0)
}

async function tailOf(path: string, keep: number): Promise<Buffer> {
  let file: FileHandle
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
  await using handle = file
  return await readTail(handle, (await handle.stat()).size, keep)
}

async function readTail(file: FileHandle, size: number, keep: number): Promise<Buffer> {
  const tail = Buffer.alloc(Math.min(size, keep))
  const { bytesRead } = await file.read(tail, 0, tail.length, size - tail.length)
  return tail.subarray(0, bytesRead)
}
