/** Starts QEMU for a guest that is built, and waits until its CPUs run. */
import { spawn } from 'node:child_process'
import { type FileHandle, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { childEnv } from '#kernel/program.ts'
import { GuestError, type PowerState } from '../driver.ts'
import { commandLine, type Machine, nicDevice } from './command-line.ts'
import { prepareConsoleLog } from './console-log.ts'
import { requireKey, withKey } from './disk-key.ts'
import { tellOfStart } from './flavor-file.ts'
import { confine, exists, type GuestFiles, give, type QemuHost } from './host.ts'
import { lockedBytes } from './machine-layout.ts'
import { bindThreads } from './pinning.ts'
import { type GuestProcess, isAlive, killProcess, processOf } from './process.ts'
import { missing } from './run.ts'
import { openSession, type Session } from './session.ts'
import { takeDevice } from './vfio.ts'

const gigabyte = 1024 ** 3
/** Loaded machines are slow, and TCG's code buffer takes its time. */
const startSeconds = 60

/**
 * Boots the guest, or wakes it from `memory.state` when that file is there. As long as it is there the guest counts as suspended and its QEMU
 * may be thrown away: it is removed when memory is loaded, before the CPUs run.
 */
export async function launch(
  host: QemuHost,
  files: GuestFiles,
  machine: Machine,
  key: string | undefined,
  onPower: (state: PowerState, reason: string) => void,
  signal: AbortSignal,
): Promise<Session> {
  requireKey(machine.disks, key)
  return await withKey(host, key, secret => start(host, files, machine, secret, onPower, signal))
}

/** Returns when QEMU has read all that it was given. */
async function start(
  host: QemuHost,
  files: GuestFiles,
  machine: Machine,
  secret: string[],
  onPower: (state: PowerState, reason: string) => void,
  signal: AbortSignal,
): Promise<Session> {
  const incoming = await exists(files.memory)
  await rm(files.run, { recursive: true, force: true })
  await mkdir(files.run, { mode: 0o700 })
  await give(host, files.run, 0o700)
  await prepareConsoleLog(host, files.consoleLog)
  for (const address of machine.spec.devices ?? []) await takeDevice(address, host.user)

  const process = await startQemu(host, files, machine, secret, incoming)
  try {
    const session = await whenReady(host, files, process, onPower, signal)
    try {
      await bindThreads(session, machine.spec, signal)
      if (incoming) await memoryLoaded(host, session, signal)
      for (const nic of machine.spec.nics) {
        if (!nic.tap) await session.execute('set_link', { name: nicDevice(nic.port_id), up: false })
      }
      await tellOfStart(host, files, machine, process.pid)
      if (incoming) await rm(files.memory)
      await session.told(() => session.execute('cont'))
      return session
    } catch (error) {
      session.leave()
      throw error
    }
  } catch (error) {
    const ended = !(await isAlive(process))
    await killProcess(process, host.clock)
    if (signal.aborted) throw signal.reason
    const said = await lastWords(files)
    if (!ended && !said) throw error
    const retryElsewhere = /allocate memory/i.test(said)
    throw new GuestError(`QEMU did not start: ${said || 'it ended without a word.'}`, { cause: error, retryElsewhere })
  }
}

async function startQemu(
  host: QemuHost,
  files: GuestFiles,
  machine: Machine,
  secret: string[],
  incoming: boolean,
): Promise<GuestProcess> {
  const locked = lockedBytes(machine.spec)
  const netns = machine.spec.nics.find(nic => nic.tap)?.tap?.netns
  const [program, ...args] = await confine(host, [...secret, ...commandLine(machine, { incoming })], {
    ...(netns ? { netns } : {}),
    fileBytes: largestFile(machine),
    kvm: machine.accel === 'kvm',
    ...(locked !== undefined && { lockedBytes: locked }),
  })
  await using output = await open(files.qemuLog, 'w', 0o600)
  await using input: FileHandle = await open(incoming ? files.memory : '/dev/null', 'r')
  const child = spawn(program, args, {
    cwd: files.dir,
    detached: true,
    stdio: [input.fd, output.fd, output.fd],
    env: childEnv,
  })
  const failed = new Promise<never>((_, reject) => child.once('error', reject))
  const spawned = new Promise<void>(resolve => child.once('spawn', resolve))
  try {
    await Promise.race([spawned, failed])
  } catch (cause) {
    throw new GuestError('QEMU could not be started on this host.', { cause })
  }
  child.unref()
  const process = child.pid ? await processOf(child.pid) : undefined
  if (!process) throw new GuestError(`QEMU did not start: ${await lastWords(files)}`)
  // When memory runs out a guest must go before the cloud that looks after all of them.
  await writeFile(`/proc/${process.pid}/oom_score_adj`, '500').catch(() => {})
  return process
}

/** qcow2 needs a little more than its disk; saved memory about the guest's memory. */
function largestFile(machine: Machine): number {
  const disk = Math.max(0, ...machine.disks.map(each => each.bytes))
  return Math.ceil(Math.max(disk * 1.05, machine.spec.memory_mb * 1024 * 1024 * 1.1)) + gigabyte
}

async function whenReady(
  host: QemuHost,
  files: GuestFiles,
  process: GuestProcess,
  onPower: (state: PowerState, reason: string) => void,
  signal: AbortSignal,
): Promise<Session> {
  const { clock, log } = host
  for (const start = clock.monotonic(); ; await clock.sleep(20, signal)) {
    if (!(await isAlive(process))) throw new GuestError('QEMU ended.')
    if (await exists(files.monitor)) {
      try {
        return await openSession({ process, monitor: files.monitor, clock, log, onPower })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error
      }
    }
    if (clock.monotonic() - start > startSeconds * 1000)
      throw new GuestError(`QEMU did not answer in ${startSeconds} s.`)
  }
}

async function memoryLoaded(host: QemuHost, session: Session, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { status } = await session.execute<{ status?: string }>('query-migrate')
    if (status === 'completed') return
    if (status === 'failed') throw new GuestError('The saved memory of the guest could not be loaded.')
    await host.clock.sleep(20, signal)
  }
}

/** The last line that QEMU, or a program of the chain before it, wrote. */
export async function lastWords(files: GuestFiles): Promise<string> {
  const text = await readFile(files.qemuLog, 'utf8').catch(() => '')
  const lines = text.trim().split('\n')
  const program = /(?:prlimit|setpriv|nsenter): failed to execute ([\w./-]+)/.exec(text)?.[1]
  if (program) throw missing(program.split('/').at(-1) ?? program)
  return (lines.findLast(line => !line.includes('warning:')) ?? '')
    .replace(/^qemu-(?:system-\w+|storage-daemon): /, '')
    .slice(0, 300)
}
