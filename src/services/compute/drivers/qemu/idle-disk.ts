/** A disk of a guest that is off, opened by QEMU's storage daemon: it does with disks what QEMU does, without a machine around them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { childEnv } from '#kernel/program.ts'
import { GuestError } from '../driver.ts'
import { blockdev, type DiskFile } from './command-line.ts'
import { confine, exists, type GuestFiles, give, type QemuHost } from './host.ts'
import { lastWords } from './launch.ts'
import { endProcess, type GuestProcess, isAlive, processOf } from './process.ts'
import { checkOverlay } from './qcow2.ts'
import { connectQmp, type Qmp, QmpError } from './qmp.ts'
import type { Monitor } from './snapshot.ts'

const gigabyte = 1024 ** 3
const startSeconds = 60
const socket = 'run/disk'

/** What it notes in the disk's file is written when `work` is done, however that ends. */
export async function withIdleDisk<T>(
  host: QemuHost,
  files: GuestFiles,
  disk: DiskFile,
  signal: AbortSignal,
  work: (monitor: Monitor) => Promise<T>,
): Promise<T> {
  await checkOverlay(join(files.dir, disk.file))
  await mkdir(files.run, { recursive: true, mode: 0o700 })
  await give(host, files.run, 0o700)
  await rm(join(files.dir, socket), { force: true })
  const daemon = await start(host, files, disk)
  try {
    const qmp = await connect(host, files, daemon.process, signal)
    try {
      return await work({
        execute: (command, args, timeoutMs) => qmp.execute<never>(command, args, timeoutMs).catch(refused(command)),
        onQmpEvent: listener => qmp.onEvent(listener),
        exited: daemon.exited,
      })
    } finally {
      await qmp.execute('quit').catch(() => {})
      qmp.close()
    }
  } finally {
    await endProcess(daemon.process, host.clock)
  }
}

const refused = (command: string) => (error: unknown) => {
  if (!(error instanceof QmpError)) throw error
  throw new GuestError(`QEMU refused ${command}: ${error.message}`, { cause: error })
}

async function start(host: QemuHost, files: GuestFiles, disk: DiskFile) {
  const args = [
    ...['--blockdev', JSON.stringify(blockdev(disk))],
    ...['--chardev', `socket,id=monitor,path=${socket},server=on,wait=off`, '--monitor', 'chardev=monitor'],
  ]
  const fileBytes = Math.ceil(disk.bytes * 1.05) + gigabyte
  const daemon = { ...host, qemu: 'qemu-storage-daemon' }
  const [program, ...rest] = await confine(daemon, args, { fileBytes, kvm: false })
  await using output = await open(files.qemuLog, 'w', 0o600)
  const child = spawn(program, rest, {
    cwd: files.dir,
    stdio: ['ignore', output.fd, output.fd],
    env: childEnv,
  })
  const exited = once(child, 'exit').then(() => {})
  exited.catch(() => {})
  const process = child.pid ? await processOf(child.pid) : undefined
  if (!process) throw new GuestError(`The disk could not be opened: ${await lastWords(files)}`)
  return { process, exited }
}

async function connect(host: QemuHost, files: GuestFiles, process: GuestProcess, signal: AbortSignal): Promise<Qmp> {
  const { clock } = host
  const path = join(files.dir, socket)
  for (const began = clock.monotonic(); ; await clock.sleep(20, signal)) {
    if (!(await isAlive(process))) throw new GuestError(`The disk could not be opened: ${await lastWords(files)}`)
    if (await exists(path)) {
      try {
        return await connectQmp(path, clock)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error
      }
    }
    if (clock.monotonic() - began > startSeconds * 1000)
      throw new GuestError(`The program that opens disks did not answer in ${startSeconds} s.`)
  }
}
