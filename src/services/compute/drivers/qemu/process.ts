/** QEMU's processes on this host: found by what they are, never by a number in a file, so a reused pid cannot be taken for a guest. */
import { readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Clock } from '#kernel/clock.ts'

export interface GuestProcess {
  pid: number
  /** Start time in clock ticks since boot; with the pid it names one process for ever. */
  started: string
}

/** The programs that work on a guest's files for us; see run.ts. */
const tools = ['qemu-img', 'genisoimage', 'cp']
/** One that has a guest's disk open, and notes in it when it ends what it would not find again; see idle-disk.ts. */
const holders = ['qemu-storage-daemon']

const politeMs = 10_000

/** The QEMU processes whose working directory is in `instances`, by guest id. Sees them from their first moment, before QEMU itself runs. */
export async function findProcesses(instances: string, clock: Clock): Promise<Map<string, GuestProcess>> {
  const found = new Map<string, GuestProcess>()
  for (const { id, ...process } of await workingIn(instances)) {
    if ((await kindOf(process.pid, id, clock)) === 'guest') found.set(id, process)
  }
  return found
}

/** Ends the tools that an earlier life of ours began on guests' files: one that goes on would remove or replace what we make there now. */
export async function endTools(instances: string, clock: Clock): Promise<void> {
  for (const { id, ...process } of await workingIn(instances)) {
    const kind = await kindOf(process.pid, id, clock)
    if (kind === 'tool') await killProcess(process, clock)
    if (kind === 'holder') await endProcess(process, clock)
  }
}

/** The processes whose working directory is a guest's. */
async function workingIn(instances: string): Promise<(GuestProcess & { id: string })[]> {
  const found: (GuestProcess & { id: string })[] = []
  const root = await realpath(instances).catch(() => instances)
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const pid = Number(entry)
    const cwd = (await readlink(`/proc/${pid}/cwd`).catch(() => '')).replace(/ \(deleted\)$/, '')
    if (dirname(cwd) !== root) continue
    const started = await startTime(pid)
    if (started) found.push({ pid, started, id: basename(cwd) })
  }
  return found
}

/** A process shows no arguments, or its parent's, while it becomes another program: it is looked at again until that is over. */
async function kindOf(pid: number, id: string, clock: Clock): Promise<'guest' | 'tool' | 'holder' | undefined> {
  for (let look = 0; look < 500; look++) {
    const args = await argumentsOf(pid)
    if (args.includes('-uuid')) return args[args.indexOf('-uuid') + 1] === id ? 'guest' : undefined
    if (tools.includes(args[0] ?? '')) return 'tool'
    if (holders.includes(args[0] ?? '')) return 'holder'
    if ((await startTime(pid)) === undefined) return undefined
    await clock.sleep(10)
  }
  return undefined
}

/** The process behind a pid that we just made. */
export async function processOf(pid: number): Promise<GuestProcess | undefined> {
  const started = await startTime(pid)
  return started ? { pid, started } : undefined
}

/** False when it ended, also while its parent has not taken note yet (a zombie). */
export async function isAlive(process: GuestProcess): Promise<boolean> {
  return (await startTime(process.pid)) === process.started
}

/** Whole seconds since it was started. */
export async function uptimeSeconds({ started }: GuestProcess): Promise<number> {
  const [hostSeconds = '0'] = (await readFile('/proc/uptime', 'utf8')).split(' ')
  return Math.max(0, Math.floor(Number(hostSeconds) - Number(started) / 100))
}

/** Lets it finish what it has to write, for a while. */
export async function endProcess(target: GuestProcess, clock: Clock): Promise<void> {
  if (await isAlive(target)) signal(target.pid, 'SIGTERM')
  for (const start = clock.monotonic(); (await isAlive(target)) && clock.monotonic() - start < politeMs; )
    await clock.sleep(20)
  await killProcess(target, clock)
}

/** Kills it and waits until it is gone, and with it its locks on files. */
export async function killProcess(target: GuestProcess, clock: Clock): Promise<void> {
  for (let waited = 0; await isAlive(target); waited++) {
    if (waited % 100 === 0) signal(target.pid)
    await clock.sleep(waited < 50 ? 5 : 50)
  }
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL' = 'SIGKILL') {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function argumentsOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return text.split('\0')
}

/** Undefined for no process and for a zombie. */
async function startTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The second field is the program's name in parentheses and may hold anything: count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}
