/** The dnsmasq processes: started, told of changes, watched and stopped. They outlive this process; the next one finds them by pidfile. */
import { constants } from 'node:fs'
import { access, mkdir, readdir, readFile, readlink, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Clock, Timer } from '#kernel/clock.ts'
import { messageOf } from '#kernel/errors.ts'
import type { Log } from '#kernel/log.ts'
import { inPool, reason, runIn } from './exec.ts'
import { namespaceInode } from './namespaces.ts'

export interface DaemonPlan {
  owner: string
  netns: string
  /** The configuration file; a change of it needs a new process. */
  conf: string
  /** Files named by options of the same name, which dnsmasq reads again when told to. */
  files: Readonly<Record<string, string>>
}

export interface DnsmasqOptions {
  dir: string
  log: Log
  clock: Clock
  /** How often dead ones are looked for, in milliseconds. */
  watchMs?: number
}

export interface Dnsmasq {
  /** Makes exactly these run. Returns what could not be. */
  converge(plans: ReadonlyMap<string, DaemonPlan>): Promise<{ id: string; message: string }[]>
  /** Stops every one whose files are below our directory, and removes the files. */
  stopAll(): Promise<void>
  /** Ends the watch, once what it is doing is done; the processes live on. */
  dispose(): Promise<void>
}

export function dnsmasqKeeper({ dir, log, clock, watchMs = 2000 }: DnsmasqOptions): Dnsmasq {
  const root = resolve(dir, 'dnsmasq')
  let wanted: ReadonlyMap<string, DaemonPlan> = new Map()
  let timer: Timer | undefined
  let disposed = false
  let turn: Promise<unknown> = Promise.resolve()

  /** One piece of work at a time: the watch must not start what a change is just stopping. */
  function exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = turn.then(work)
    turn = result.catch(() => {})
    return result
  }

  async function ensure(key: string, plan: DaemonPlan): Promise<void> {
    const folder = join(root, key)
    const pid = await livingPid(folder, plan.netns)
    const confChanged = await writeIfChanged(join(folder, 'dnsmasq.conf'), await confText(folder, plan))
    let filesChanged = false
    for (const [name, text] of Object.entries(plan.files)) {
      if (await writeIfChanged(join(folder, name), text)) filesChanged = true
    }
    if (pid !== undefined && !confChanged) {
      if (filesChanged) process.kill(pid, 'SIGHUP')
      return
    }
    await stop(folder)
    const outcome = await runIn(plan.netns, 'dnsmasq', [`--conf-file=${join(folder, 'dnsmasq.conf')}`])
    if (outcome.code !== 0) throw new Error(`dnsmasq did not start: ${reason(outcome)}`)
    log.debug({ key, netns: plan.netns }, 'dnsmasq started')
  }

  async function confText(folder: string, plan: DaemonPlan): Promise<string> {
    const user = (await readableByOthers(root)) ? 'dnsmasq' : 'root'
    const own = [`user=${await knownUser(user)}`, `pid-file=${join(folder, 'pid')}`]
    const files = Object.keys(plan.files).map(name => `${name}=${join(folder, name)}`)
    return `${plan.conf}${[...own, ...files].join('\n')}\n`
  }

  /** The process of a folder's pidfile, if it is ours (its command line names our file) and in the namespace it should be in. */
  async function livingPid(folder: string, netns?: string): Promise<number | undefined> {
    try {
      const pid = Number((await readFile(join(folder, 'pid'), 'utf8')).trim())
      if (!Number.isInteger(pid) || pid <= 1) return undefined
      const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
      if (!command.includes(`--conf-file=${join(folder, 'dnsmasq.conf')}`)) return undefined
      if (netns === undefined) return pid
      const inode = /\[(\d+)\]/.exec(await readlink(`/proc/${pid}/ns/net`))?.[1]
      return Number(inode) === (await namespaceInode(netns)) ? pid : undefined
    } catch {
      return undefined
    }
  }

  async function stop(folder: string): Promise<void> {
    const patience = 100
    for (let look = 0; look <= patience; look++) {
      const pid = await livingPid(folder)
      if (pid === undefined) return
      if (look === 0) process.kill(pid, 'SIGTERM')
      if (look === patience) process.kill(pid, 'SIGKILL')
      await clock.sleep(20)
    }
  }

  async function remove(key: string): Promise<void> {
    await stop(join(root, key))
    await rm(join(root, key), { recursive: true, force: true })
  }

  function watch(): void {
    timer?.cancel()
    if (disposed) return
    timer = clock.after(watchMs, () => {
      exclusive(async () => {
        for (const [key, plan] of wanted) {
          if (disposed || (await livingPid(join(root, key), plan.netns)) !== undefined) continue
          log.warn({ key, owner: plan.owner }, 'dnsmasq was gone; starting it again')
          await ensure(key, plan).catch(error => log.error({ key, error: messageOf(error) }, 'dnsmasq is down'))
        }
      }).finally(watch)
    })
  }

  return {
    converge: plans =>
      exclusive(async () => {
        wanted = plans
        const problems: { id: string; message: string }[] = []
        await mkdir(root, { recursive: true, mode: 0o755 })
        const stale = (await readdir(root)).filter(key => !plans.has(key))
        await inPool(stale, 4, remove)
        await inPool(plans, 4, async ([key, plan]) => {
          try {
            await ensure(key, plan)
          } catch (error) {
            problems.push({ id: plan.owner, message: messageOf(error) })
          }
        })
        watch()
        return problems
      }),
    stopAll: () =>
      exclusive(async () => {
        wanted = new Map()
        timer?.cancel()
        const keys = await readdir(root).catch(() => [])
        await inPool(keys, 4, remove)
        await rm(root, { recursive: true, force: true })
      }),
    async dispose() {
      disposed = true
      timer?.cancel()
      await turn
    },
  }
}

async function writeIfChanged(path: string, text: string): Promise<boolean> {
  const old = await readFile(path, 'utf8').catch(() => undefined)
  if (old === text) return false
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  await writeFile(`${path}.new`, text, { mode: 0o644 })
  await rename(`${path}.new`, path)
  return true
}

/** Whether a process without our privileges can reach files below a directory. */
export async function readableByOthers(path: string): Promise<boolean> {
  for (let at = resolve(path); ; at = dirname(at)) {
    const mode = await stat(at).then(
      info => info.mode,
      () => 0o755,
    )
    if ((mode & constants.S_IXOTH) === 0) return false
    if (at === '/') return true
  }
}

async function knownUser(wanted: string): Promise<string> {
  await access('/etc/passwd')
  const names = (await readFile('/etc/passwd', 'utf8')).split('\n').map(line => line.split(':')[0])
  return names.includes(wanted) ? wanted : 'nobody'
}
