/** `nephos up`: one machine's whole cloud, in the foreground. */
import { existsSync, mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Bus } from '#kernel/bus/bus.ts'
import { inProcessBus } from '#kernel/bus/in-process.ts'
import { type Clock, keepAlive, systemClock } from '#kernel/clock.ts'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import { loadConfig } from '#kernel/config/load.ts'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { systemIds } from '#kernel/ids.ts'
import { createLog, type Log } from '#kernel/log.ts'
import { readPolicyFile } from '#kernel/policy/policy-file.ts'
import { makeDriver, makePlane, type RealDrivers, startHost } from '../agent.ts'
import { type Cloud, createCloud, sections } from '../cloud.ts'
import { ensureFirstContents } from '../first-contents.ts'
import {
  type DataDir,
  ephemeralDir,
  openDataDir,
  passwordsOf,
  prefixOf,
  StartError,
  writeClouds,
  writeRunFile,
} from './data-dir.ts'
import { openDatabase } from './database.ts'
import type { Drivers } from './debian-packages.ts'
import { ensureGuestUser } from './guest-user.ts'
import { installMissing } from './install.ts'
import type { UpOptions } from './options.ts'
import { ensureTinyImage } from './tiny-image.ts'

/** Runs until SIGTERM or SIGINT; guests go on without it. Returns the exit code. */
export async function up(options: UpOptions): Promise<number> {
  using _alive = keepAlive()
  await checkAddress(options)
  const drivers: Drivers = {
    virt: options.virt === 'auto' ? 'qemu' : options.virt,
    network: options.network === 'auto' ? 'linux' : options.network,
  }
  const say = (line: string) => console.log(line)
  if (options.workers > 0) say(`--workers ${options.workers}: this version serves from one process; going on without`)
  await installMissing(drivers, { install: options.install, log: say })
  if (drivers.virt === 'qemu' && options.install) await ensureGuestUser(say)
  await using stack = new AsyncDisposableStack()
  const path = options.data ?? mkdtempSync(join(tmpdir(), 'nephos-'))
  if (options.ephemeral) stack.use(ephemeralDir(path, { temporary: options.data === undefined }))
  const dir = stack.use(openDataDir(path))
  const cloud = await start(options, drivers, dir, stack)
  const url = await cloud.listen(options.host, options.port).catch(cause => {
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
  await stopAsked()
  const after = options.ephemeral
    ? 'nothing of this cloud stays'
    : 'guests keep running and are adopted at the next start'
  process.stdout.write(`stopping; ${after}\n`)
  return 0
}

async function start(options: UpOptions, drivers: Drivers, dir: DataDir, stack: AsyncDisposableStack): Promise<Cloud> {
  const clock = systemClock()
  const ids = systemIds()
  const files = [dir.file('nephos.yaml')].filter(existsSync)
  const directory = `image.directory=${dir.file('images')}`
  const config = loadConfig(sections, { files, env: process.env, overrides: [directory] })
  const log = createLog({ level: config.of(cloudConfig).log_level, destination: dir.file('nephos.log') })
  const { nats_url } = config.of(cloudConfig)
  const bus = stack.use(nats_url ? await busOver(nats_url, clock, log) : inProcessBus(clock, log))
  const database = stack.use(
    options.ephemeral ? openSqlite(':memory:') : openDatabase(config.of(cloudConfig), dir.path),
  )
  const policyFile = dir.file('policy.yaml')
  const policyOverrides = existsSync(policyFile) ? readPolicyFile(policyFile) : {}
  // Disposed of after the cloud: sagas pause before the hosts that they call are gone.
  const hosts = stack.use(new AsyncDisposableStack())
  const cloud = stack.use(await createCloud({ config, database, bus, clock, ids, log, policyOverrides }))

  const passwords = passwordsOf(dir.file('clouds.yaml'), ids)
  // Written before the users are made: a crash in between must not lose the passwords.
  if (!existsSync(dir.file('clouds.yaml')))
    writeClouds(
      dir.file('clouds.yaml'),
      `http://${options.host}:${options.port}`,
      config.of(cloudConfig).region,
      passwords,
    )
  await ensureFirstContents(cloud, { admin_password: passwords.admin, demo_password: passwords.demo })
  await ensureTinyImage(cloud, { simulated: drivers.virt === 'fake', dir: dir.path })

  const probeKernel = drivers.virt === 'qemu' ? (await import('./image-build.ts')).keptTinyImage()?.kernel : undefined
  const names = options.simulated ? Array.from({ length: options.hosts }, (_, i) => `host-${i + 1}`) : [hostname()]
  for (const host of names) {
    const parts: RealDrivers = {
      host,
      clock,
      log,
      dir: dir.file(join('hosts', host)),
      prefix: prefixOf(dir.path),
      probeKernel,
      images: { open: (image, signal) => cloud.env.services.image.open(cloud.env, image.id, signal) },
      physicalNetworks: cloud.env.services.network.physicalNetworks(cloud.env),
    }
    const uploads = {
      put: async (imageId: string, bytes: Readable) =>
        void (await cloud.env.services.image.upload(cloud.ctx(), imageId, bytes)),
    }
    const [driver, plane] = [await makeDriver(drivers.virt, parts), await makePlane(drivers.network, parts)]
    const { ephemeral } = options
    hosts.use(await startHost({ host, bus, clock, log, driver, plane, images: parts.images, uploads, ephemeral }))
  }
  await cloud.begin()
  return cloud
}

/** NATS is loaded only where it is used: it costs start-up time. */
async function busOver(natsUrl: string, clock: Clock, log: Log): Promise<Bus> {
  const { natsBus } = await import('#kernel/bus/nats.ts')
  return natsBus({ servers: natsUrl }, clock, log)
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

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopAsked(): Promise<void> {
  // A signal handler alone does not keep the process alive; the HTTP server does.
  return new Promise(resolve => {
    let asked = false
    const stop = () => {
      if (asked) process.exit(1)
      asked = true
      resolve()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}
