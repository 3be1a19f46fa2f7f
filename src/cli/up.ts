/** `nephos up`: one machine's whole cloud, in the foreground. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { createServer } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { inProcessBus } from '#kernel/bus/in-process.ts'
import { type Clock, keepAlive, systemClock } from '#kernel/clock.ts'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import type { Config } from '#kernel/config/load.ts'
import { type Ids, systemIds } from '#kernel/ids.ts'
import { createLog } from '#kernel/log.ts'
import { makeDriver, makePlane, type RealDrivers, sharedMachineState, startHost } from '../agent.ts'
import { type Cloud, createCloud, untilHealthy } from '../cloud.ts'
import { ensureFirstContents } from '../first-contents.ts'
import { openBus } from './bus.ts'
import type { UpOptions } from './command.ts'
import {
  type DataDir,
  ephemeralDir,
  openDataDir,
  type Passwords,
  passwordsOf,
  prefixOf,
  StartError,
  writeClouds,
  writeRunFile,
} from './data-dir.ts'
import { databaseFile, openDatabase } from './database.ts'
import type { Drivers } from './debian-packages.ts'
import { ensureGuestUser } from './guest-user.ts'
import { installMissing } from './install.ts'
import { configOf, readSettings } from './settings.ts'
import { stopAsked } from './stop.ts'
import { ensureTinyImage } from './tiny-image.ts'
import type { Workers } from './workers.ts'

/** Runs until SIGTERM or SIGINT; guests go on without it. Returns the exit code. */
export async function up(options: UpOptions): Promise<number> {
  using _alive = keepAlive()
  await checkAddress(options)
  const drivers: Drivers = {
    virt: options.virt === 'auto' ? 'qemu' : options.virt,
    network: options.network === 'auto' ? 'linux' : options.network,
  }
  const say = (line: string) => console.log(line)
  await installMissing(drivers, { install: options.install, log: say })
  if (drivers.virt === 'qemu' && options.install) await ensureGuestUser(say)
  await using stack = new AsyncDisposableStack()
  const path = options.data ?? mkdtempSync(join(tmpdir(), 'nephos-'))
  if (options.ephemeral) stack.use(ephemeralDir(path, { temporary: options.data === undefined }))
  const dir = stack.use(openDataDir(path))
  const clock = systemClock()
  const workers = options.workers > 0 ? (await import('./workers.ts')).startWorkers(options.workers, clock) : undefined
  if (workers) stack.use(workers)
  const { cloud, serve } = await start({ options, drivers, dir, stack, clock, workers })
  const url = await serve().catch(cause => {
    throw addressError(options.host, options.port, cause)
  })
  const run = {
    pid: process.pid,
    url,
    started_at: new Date(cloud.env.clock.now()).toISOString(),
    simulated: options.simulated,
  }
  writeRunFile(dir, run)
  const { region } = cloud.env.config.of(cloudConfig)
  writeClouds(dir.file('clouds.yaml'), url, region, passwordsOf(dir.file('clouds.yaml'), cloud.env.ids))
  process.stdout.write(`ready ${url}\n${nextSteps(dir, options.ephemeral)}`)
  // Node keeps compiled code at its exit: one that is killed would have the next start compile everything again.
  flushCompileCache()
  await stopAsked()
  const after = options.ephemeral
    ? 'nothing of this cloud stays'
    : 'guests keep running and are adopted at the next start'
  process.stdout.write(`stopping; ${after}\n`)
  return 0
}

interface Start {
  options: UpOptions
  drivers: Drivers
  dir: DataDir
  /** Takes all that has to be disposed of. */
  stack: AsyncDisposableStack
  clock: Clock
  workers: Workers | undefined
}

interface Started {
  cloud: Cloud
  /** Answers on the address from now on; returns the base address. */
  serve(): Promise<string>
}

async function start({ options, drivers, dir, stack, clock, workers }: Start): Promise<Started> {
  const ids = systemIds()
  const settings = readSettings(dir.path, [
    `image.directory=${dir.file('images')}`,
    ...(options.ephemeral ? ['cloud.database_url='] : []),
    // Another process may have revoked something a moment ago.
    ...(workers ? ['identity.cache_trust_ms=0'] : []),
  ])
  const config = configOf(settings)
  const logFile = dir.file('nephos.log')
  const log = createLog({ level: config.of(cloudConfig).log_level, destination: logFile })
  const steered = options.projects + options.servers > 0 || options.snapshot !== undefined
  const alone = !workers && isAlone(config.of(cloudConfig))
  if (steered && !alone)
    throw new StartError(
      '--projects, --servers and --snapshot need a cloud of one process: no --workers, database_url or nats_url',
    )
  if (options.simulated && alone) {
    const { startSimulated } = await import('../simulated/simulated.ts')
    const passwords = firstPasswords(options, dir, config, ids)
    const simulated = await startSimulated({
      ...{ dir: dir.path, kept: !options.ephemeral, config, policyOverrides: settings.policy, log, passwords },
      ...{ hosts: options.hosts, host: options.host, port: options.port },
      preset: { projects: options.projects, servers: options.servers },
      ...(options.snapshot !== undefined && { snapshot: readSnapshot(options.snapshot) }),
      passwordsChanged: (others, url) =>
        writeClouds(dir.file('clouds.yaml'), url, config.of(cloudConfig).region, others),
    })
    stack.use(simulated)
    return { cloud: simulated.cloud, serve: async () => simulated.url }
  }
  const bus = stack.use(await openBus(config.of(cloudConfig), clock, log, () => inProcessBus(clock, log)))
  const file = databaseOf(options, dir, workers)
  const database = stack.use(await openDatabase(config.of(cloudConfig), file))
  // Disposed of after the cloud: sagas pause before the hosts that they call are gone.
  const hosts = stack.use(new AsyncDisposableStack())
  const cloud = stack.use(
    await createCloud({
      config,
      database,
      bus,
      clock,
      ids,
      log,
      policyOverrides: settings.policy,
      ...(workers && { processName: 'main', apiProcesses: workers.names }),
    }),
  )
  // Disposed of before it: they need its bus to the end.
  if (workers) stack.use(workers)

  const passwords = firstPasswords(options, dir, config, ids)
  await ensureFirstContents(cloud, { admin_password: passwords.admin, demo_password: passwords.demo })
  await ensureTinyImage(cloud, { simulated: drivers.virt === 'fake', dir: dir.path })

  const probeKernel = drivers.virt === 'qemu' ? (await import('./image-build.ts')).keptTinyImage()?.kernel : undefined
  const names = options.simulated ? Array.from({ length: options.hosts }, (_, i) => `host-${i + 1}`) : [hostname()]
  const machine = sharedMachineState(clock)
  for (const host of names) {
    const parts: RealDrivers = {
      host,
      clock,
      log,
      dir: dir.file(join('hosts', host)),
      prefix: prefixOf(dir.path),
      probeKernel,
      images: { open: (image, signal) => cloud.env.services.image.open(cloud.env, image.id, signal) },
      config,
      physicalNetworks: cloud.env.services.network.physicalNetworks(cloud.env),
    }
    const uploads = {
      put: async (imageId: string, bytes: Readable, _signal: AbortSignal, base?: string) =>
        void (await cloud.env.services.image.upload(cloud.ctx(), imageId, bytes, base)),
    }
    const [driver, plane] = [await makeDriver(drivers.virt, parts), await makePlane(drivers.network, parts)]
    const { ephemeral } = options
    hosts.use(
      await startHost({ host, bus, clock, log, driver, plane, images: parts.images, uploads, machine, ephemeral }),
    )
  }
  await cloud.begin()
  await untilHealthy(cloud, names)
  const { host, port } = options
  if (!workers) return { cloud, serve: () => cloud.listen(host, port) }
  const order = { settings, database: file, log: logFile, host, port }
  const died = () => void cloud.env.sagas.recover().catch(error => log.warn({ err: error }, 'sagas are taken up later'))
  return { cloud, serve: async () => cloud.servedAt(await workers.serve(order, { bus, log, died })) }
}

function readSnapshot(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new StartError(`cannot read the snapshot ${path}: ${(cause as Error).message}`, { cause })
  }
}

/** True when no other process has a part of the cloud: all of it can be steered then. */
const isAlone = ({ database_url, nats_url }: { database_url: string; nats_url: string }) => !database_url && !nats_url

/** Written before the users are made: a crash in between must not lose the passwords. */
function firstPasswords({ host, port }: UpOptions, dir: DataDir, config: Config, ids: Ids): Passwords {
  const file = dir.file('clouds.yaml')
  const passwords = passwordsOf(file, ids)
  if (!existsSync(file)) writeClouds(file, `http://${host}:${port}`, config.of(cloudConfig).region, passwords)
  return passwords
}

/** Where SQLite keeps the cloud. Only one process can have a database in memory. */
function databaseOf({ ephemeral }: UpOptions, dir: DataDir, workers: Workers | undefined): string {
  if (!ephemeral) return dir.file(databaseFile)
  if (!workers) return ':memory:'
  const file = dir.file('ephemeral.db')
  for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true })
  return file
}

/** Fails at once, before anything is installed or made, when the address cannot be had. */
async function checkAddress({ host, port }: UpOptions): Promise<void> {
  const server = createServer()
  try {
    await new Promise<void>((done, fail) => server.once('error', fail).listen(port, host, done))
  } catch (cause) {
    throw addressError(host, port, cause)
  } finally {
    server.close()
  }
}

function addressError(host: string, port: number, cause: unknown): Error {
  const why: Record<string, string> = {
    EADDRINUSE: `port ${port} of ${host} is in use: stop what uses it, or give another --port`,
    EADDRNOTAVAIL: `${host} is no address of this machine: give another --host`,
    ENOTFOUND: `${host} is no address of this machine: give another --host`,
    EACCES: `port ${port} needs root: give a --port above 1023`,
  }
  const text = why[(cause as { code?: string }).code ?? '']
  return text ? new StartError(text, { cause }) : (cause as Error)
}

function nextSteps(dir: DataDir, ephemeral: boolean): string {
  return `
Your clouds are in ${dir.file('clouds.yaml')}. In another terminal:

  export OS_CLIENT_CONFIG_FILE=${dir.file('clouds.yaml')} OS_CLOUD=nephos
  openstack server create --image tiny --flavor m1.nano --network private --wait first
  openstack console log show first

Ctrl-C stops the cloud; ${ephemeral ? 'nothing of it stays' : 'guests keep running'}.
`
}
