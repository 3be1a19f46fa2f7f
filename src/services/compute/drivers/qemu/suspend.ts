/** Saves a guest's memory to a file. QEMU sends it as a migration over a unix socket, since its sandbox lets it start no program. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { GuestError } from '../driver.ts'
import { type GuestFiles, give, needSpace, type QemuHost, syncDir } from './host.ts'
import { diskFull } from './run.ts'
import type { Session } from './session.ts'

/** Ends with the guest's QEMU gone and `memory.state` in place, or with the guest running as before. */
export async function saveMemory(
  host: QemuHost,
  files: GuestFiles,
  session: Session,
  memoryMb: number,
  signal: AbortSignal,
): Promise<void> {
  await needSpace(host, files.dir, memoryMb * 1024 * 1024, "the guest's memory")
  const part = `${files.memory}.part`
  const before = session.status
  try {
    await session.told(async () => {
      await session.execute('stop')
      await receive(host, files, session, part, signal)
    })
    await rename(part, files.memory)
    await syncDir(files.dir)
  } catch (error) {
    await rm(part, { force: true })
    await session.execute('migrate_cancel').catch(() => {})
    if (before === 'running') await session.told(() => session.execute('cont')).catch(() => {})
    if (signal.aborted) throw signal.reason
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? diskFull(error) : error
  }
  await session.kill({ flush: true })
}

async function receive(host: QemuHost, files: GuestFiles, session: Session, part: string, signal: AbortSignal) {
  const path = join(files.run, 'mig')
  await rm(path, { force: true })
  const server = createServer()
  try {
    server.listen(path)
    await once(server, 'listening')
    await give(host, path, 0o600)
    const connection = once(server, 'connection', { signal }) as Promise<[Socket]>
    connection.catch(() => {})
    // The guest stands still: the sooner it is over the better.
    await session.execute('migrate-set-parameters', { 'max-bandwidth': 64 * 1024 ** 3 })
    await session.execute('migrate', { uri: 'unix:run/mig' })
    const [socket] = await connection
    const saved = pipeline(socket, createWriteStream(part, { mode: 0o600, flush: true }), { signal })
    saved.catch(() => {})
    await migrated(host, session, signal)
    await saved
  } finally {
    server.close()
    await rm(path, { force: true })
  }
}

async function migrated(host: QemuHost, session: Session, signal: AbortSignal) {
  for (;;) {
    const answer = await session.execute<{ status?: string; 'error-desc'?: string }>('query-migrate')
    if (answer.status === 'completed') return
    if (answer.status === 'failed' || answer.status === 'cancelled') {
      throw new GuestError(`The guest's memory could not be saved: ${answer['error-desc'] ?? answer.status}`)
    }
    await host.clock.sleep(20, signal)
  }
}
