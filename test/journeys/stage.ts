/** A stage for journeys: a cloud started as a user starts it, in namespaces of its own (network and mounts), and the real openstack client. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const launcher = resolve(import.meta.dirname, '../../nephos')

export interface Ran {
  code: number
  out: string
  err: string
}

export interface StageOptions {
  /** Flags of `nephos up` beyond --data. */
  flags?: string[]
  /** Starts no cloud yet. */
  cold?: boolean
}

export interface OsOptions {
  /** The entry of clouds.yaml. */
  as?: string
  /** Milliseconds. */
  timeout?: number
  env?: Record<string, string>
}

/** What a real cloud needs from the machine; a text that says what is missing, or false. */
export function missingForReal(): string | false {
  if (process.getuid?.() !== 0) return 'needs root'
  const programs = ['/usr/bin/qemu-system-x86_64', '/usr/sbin/nft', '/usr/sbin/dnsmasq', '/usr/bin/openstack']
  const absent = programs.filter(p => !existsSync(p) && !existsSync(p.replace('/usr', '')))
  return absent.length > 0 && `needs ${absent.join(', ')}`
}

export function missingForClient(): string | false {
  if (process.getuid?.() !== 0) return 'needs root (for a network namespace)'
  return !existsSync('/usr/bin/openstack') && 'needs python3-openstackclient'
}

export async function createStage(options: StageOptions = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-journey-'))
  const data = join(dir, 'data')
  const holder = await openNamespaces()
  const inside = (command: string, args: string[]): [string, string[]] => [
    'nsenter',
    ['-t', String(holder.pid), '-n', '-m', command, ...args],
  ]
  let cloud: ChildProcess | undefined
  let output = ''

  /** Runs a program inside the namespace; never throws for its exit code. */
  async function run(
    command: string,
    args: string[],
    {
      timeout = 120_000,
      cloudName = 'nephos',
      env = {},
    }: { timeout?: number; cloudName?: string; env?: Record<string, string> } = {},
  ): Promise<Ran> {
    const [file, argv] = inside(command, args)
    return new Promise(done => {
      execFile(
        file,
        argv,
        {
          timeout,
          maxBuffer: 16 * 1024 * 1024,
          env: { ...process.env, OS_CLIENT_CONFIG_FILE: join(data, 'clouds.yaml'), OS_CLOUD: cloudName, ...env },
        },
        (error, out, err) => done({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out, err }),
      )
    })
  }

  const stage = {
    dir,
    inside,
    data,
    run,
    /** Everything that the cloud has printed. */
    output: () => output,
    /** Starts `nephos up` and waits until it is ready. */
    async up(flags: string[] = options.flags ?? [], { timeout = 180_000 } = {}): Promise<void> {
      const [file, argv] = inside(launcher, ['up', '--data', data, ...flags])
      output = ''
      const child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
      cloud = child
      const take = (chunk: Buffer) => {
        output += chunk
      }
      child.stdout.on('data', take)
      child.stderr.on('data', take)
      const deadline = Date.now() + timeout
      while (!/^ready http/m.test(output)) {
        const end = child.exitCode ?? child.signalCode
        if (end !== null) throw new Error(`nephos up ended with ${end}:\n${output}`)
        if (Date.now() > deadline) throw new Error(`nephos up was not ready in time:\n${output}`)
        await sleep(20)
      }
    },
    /** Kills the cloud without warning. */
    async kill(): Promise<void> {
      await ended(cloud, 'SIGKILL')
    },
    /** Stops the cloud as systemd would; returns its exit code. */
    async stop(): Promise<number | null> {
      return ended(cloud, 'SIGTERM')
    },
    pid: () => cloud?.pid,
    /** How a path is reached from outside when it is on a mount of the stage's own. */
    seen: (path: string) => `/proc/${holder.pid}/root${path}`,
    /** Runs the openstack client; throws when it fails. */
    async os(args: string[], { as = 'nephos', timeout = 300_000, env = {} }: OsOptions = {}): Promise<string> {
      const ran = await run('openstack', args, { cloudName: as, timeout, env })
      if (ran.code !== 0) throw new Error(`openstack ${args.join(' ')} failed:\n${ran.err}${ran.out}`)
      return ran.out
    },
    /** The same, with the answer as JSON. */
    async json<T = Record<string, unknown>>(args: string[], more: OsOptions = {}): Promise<T> {
      return JSON.parse(await stage.os([...args, '-f', 'json'], more)) as T
    },
    /** Waits until `check` gives something true. */
    async until<T>(
      what: string,
      check: () => Promise<T>,
      { timeout = 60_000, every = 500 } = {},
    ): Promise<NonNullable<T>> {
      const deadline = Date.now() + timeout
      for (;;) {
        const value = await check()
        if (value) return value
        if (Date.now() > deadline) throw new Error(`${what}: not within ${timeout / 1000} s`)
        await sleep(every)
      }
    },
    /** QEMU processes of this stage's cloud. */
    guests: () =>
      processesOf(dir)
        .filter(p => p.command.includes('qemu-system'))
        .map(p => p.pid),
    /** Files and folders under the data directory's hosts that belong to a guest. */
    guestFolders(): string[] {
      const hosts = join(stage.seen(data), 'hosts')
      if (!existsSync(hosts)) return []
      return readdirSync(hosts).flatMap(host => {
        const instances = join(hosts, host, 'instances')
        return existsSync(instances) ? readdirSync(instances) : []
      })
    },
    /** Namespaces that the cloud has made for its networks. */
    async namespaces(): Promise<string[]> {
      const { out } = await run('ip', ['netns', 'list'])
      return out
        .split('\n')
        .map(line => line.split(' ')[0]!)
        .filter(Boolean)
    },
    async [Symbol.asyncDispose]() {
      await ended(cloud, 'SIGKILL')
      for (const { pid } of processesOf(dir)) tryKill(pid)
      for (const name of await stage.namespaces()) {
        const { out } = await run('ip', ['netns', 'pids', name])
        for (const pid of out.split('\n').filter(Boolean)) tryKill(Number(pid))
      }
      tryKill(holder.pid!)
      rmSync(dir, { recursive: true, force: true })
    },
  }
  if (!options.cold) {
    try {
      await stage.up()
    } catch (error) {
      await stage[Symbol.asyncDispose]()
      throw error
    }
  }
  return stage
}

export type Stage = Awaited<ReturnType<typeof createStage>>

/** A process that holds a network of its own, with nothing but loopback, and mounts of its own, so that names of namespaces end with it. */
async function openNamespaces(): Promise<ChildProcess> {
  const script =
    'mount -t tmpfs stage /run && mkdir /run/netns && ip link set lo up && echo open && exec sleep infinity'
  const holder = spawn('unshare', ['-n', '-m', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((done, fail) => {
    holder.stdout!.once('data', () => done())
    holder.once('exit', code => fail(new Error(`no namespaces for the stage: unshare ended with ${code}`)))
  })
  return holder
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<number | null> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
  const exit = new Promise<number | null>(done => child.once('exit', code => done(code)))
  child.kill(signal)
  return exit
}

/** Processes that a process has started. */
export function childrenOf(parent: number): { pid: number; command: string }[] {
  return processes().filter(({ pid }) => {
    try {
      // The name before may hold anything but ends with the last bracket; then come the state and the parent.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
    } catch {
      return false
    }
  })
}

export const isRunning = (pid: number) => processes().some(process => process.pid === pid)

function processes(): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
        // What has ended and was not asked for its end has no command line.
        return command === '' ? [] : [{ pid: Number(name), command }]
      } catch {
        return []
      }
    })
}

/** Processes whose command line names a folder, or that work in it. */
export function processesOf(folder: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
        const here = command.includes(folder) || readlinkSync(`/proc/${name}/cwd`).startsWith(folder)
        return here ? [{ pid: Number(name), command }] : []
      } catch {
        return []
      }
    })
}
