/** The whole cloud of a run: what outlives processes (database, guests, files, time), the processes, and the hosts. */
import { DatabaseSync } from 'node:sqlite'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { startHost } from '../../src/agent.ts'
import { type Cloud, createCloud, sections } from '../../src/cloud.ts'
import { inProcessBus } from '../../src/kernel/bus/in-process.ts'
import { settle, type VirtualClock, virtualClock } from '../../src/kernel/clock.ts'
import { loadConfig } from '../../src/kernel/config/load.ts'
import { createCtx, systemIdentity } from '../../src/kernel/context.ts'
import type { Database } from '../../src/kernel/db/database.ts'
import { sqliteDialect } from '../../src/kernel/db/sqlite.ts'
import { BadRequest } from '../../src/kernel/errors.ts'
import { type Ids, seededIds } from '../../src/kernel/ids.ts'
import { silentLog } from '../../src/kernel/log.ts'
import type { ProbePoint } from '../../src/kernel/saga/run.ts'
import { configured } from '../../src/kernel/service.ts'
import { startScheduler } from '../../src/scheduler.ts'
import { type FakeDriver, type FakeGuest, fakeDriver } from '../../src/services/compute/drivers/fake.ts'
import type { DataPlane } from '../../src/services/network/drivers/driver.ts'
import { type FakePlane, fakePlane } from '../../src/services/network/drivers/fake.ts'
import type { VolumeContract } from '../../src/services/volume/contract.ts'
import { fakeVolumes } from '../../src/services/volume/fixtures/fake-volumes.ts'
import { services } from '../../src/services.ts'
import { diceOf } from './dice.ts'
import { type Files, memory, newFiles } from './files.ts'
import { busFor, clockFor, type Disk, databaseFor, type Life, lifeOf } from './life.ts'
import { agentPage } from './mix-guests.ts'
import { imagePages } from './mix-images.ts'
import type { Scene } from './mix-servers.ts'
import { fill, prepare } from './operator.ts'
import { logInto, type Timeline, timelineOf } from './timeline.ts'
import { newWeb } from './web.ts'
import { calm, type Weather, wireFrom } from './wire.ts'

export interface Process {
  readonly life: Life
  /** Undefined while it starts. */
  cloud: Cloud | undefined
}

export interface Host {
  readonly name: string
  /** Survive the agent, as real guests do. */
  readonly guests: Map<string, FakeGuest>
  readonly plane: FakePlane
  driver: FakeDriver | undefined
  life: Life
  /** So many changes of its networks from now on fail. */
  planeFails: number
}

export interface World extends Scene {
  readonly ids: Ids
  readonly clock: VirtualClock
  readonly timeline: Timeline
  readonly disk: Disk
  readonly files: Files
  readonly hosts: Host[]
  /** Hosts that no message reaches. */
  readonly cut: Set<string>
  weather: Weather
  /** So many connections of volumes from now on fail. */
  volumesFail: number
  /** Until then nobody asks for anything. */
  quietUntil: number
  control: Process
  /** Serves the API beside the control process, and places servers at the same time. */
  api: Process
  /** Of the scheduler that is a process of its own; undefined in runs in which each process chooses hosts itself. */
  scheduler: Life | undefined
  /** Called at every step of every saga; may kill the process. */
  atStep: (life: Life, point: ProbePoint) => Promise<void> | void
  /** How often each kind of fault was really met. */
  readonly reached: Map<string, number>
  reach(fault: string): void
  messages: number
  startProcess(kind: 'control' | 'api'): Promise<void>
  startAgent(host: Host): Promise<void>
  startScheduler(): Promise<void>
  /** Lets all work that is due at this instant be done. */
  still(): Promise<void>
}

const extension = fileURLToPath(new URL('./extensions/moody.ts', import.meta.url))

const settings = [
  'cloud.public_url=http://cloud.test',
  'identity.password_memory_kib=8',
  'identity.password_passes=1',
  'compute.hosts.down_after_seconds=20',
  'compute.high_availability.after_seconds=20',
  `compute.extensions=${JSON.stringify([extension])}`,
  `image.directory=${memory}images`,
  `image.stores=${JSON.stringify({ second: { type: 'file', directory: `${memory}second` } })}`,
]

/** With the extension, once for all runs: what is made anew with a process would have its schemas compiled anew. */
const extended = (await configured(services, loadConfig(sections, { overrides: settings }))).map(
  ({ configured: _, ...service }) => service,
)

/** Turns of the event loop without any work after which only time can bring more. */
const quietTurns = 4

export async function newWorld(seed: number, options: { validate?: boolean; hosts?: number } = {}): Promise<World> {
  const clock = virtualClock()
  const timeline = timelineOf(clock.now)
  const dice = diceOf(seed)
  const ids = seededIds(seed)
  const inner = inProcessBus(clock, silentLog())
  const reached = new Map<string, number>()
  const isRemote = seed % 2 === 1
  const config = loadConfig(sections, { overrides: [...settings, `compute.scheduler.remote=${isRemote}`] })
  const connection = new DatabaseSync(':memory:')
  connection.exec('pragma foreign_keys = on')
  const reach = (fault: string) => void reached.set(fault, (reached.get(fault) ?? 0) + 1)
  const wire = (place: string) =>
    wireFrom(place, {
      bus: inner,
      clock,
      dice,
      cut: world.cut,
      weather: () => world.weather,
      reached(fault, about) {
        reach(fault)
        timeline.note(`  ${fault}: ${about}`)
      },
      sent() {
        world.messages++
      },
    })
  const file = newFiles(clock.now)
  file.refused = () => {
    reach('image disk full')
    timeline.note('  image disk full')
  }
  newWeb({
    page: path => imagePages[path]?.() ?? agentPage(path),
    after: (ms, act) => void clock.after(ms, act),
  })
  const world: World = {
    ...{ seed, dice, ids, clock, timeline, reached, reach },
    disk: {
      connection,
      dialect: sqliteDialect(connection),
      commits: 0,
      statements: 0,
      written: new Set(),
      atCommit() {},
      mayWrite() {},
      turn: Promise.resolve(),
    },
    files: file,
    hosts: [],
    cut: new Set(),
    weather: calm,
    volumesFail: 0,
    quietUntil: 0,
    control: { life: lifeOf('none'), cloud: undefined },
    api: { life: lifeOf('none'), cloud: undefined },
    scheduler: undefined,
    atStep() {},
    messages: 0,
    first: { image: '', agentImage: '', network: '', outside: '' },
    portOf: id => ports.get(id)?.id as string | undefined,
    lostServer: () => dice.pick([...world.cut].flatMap(host => onHost.all(host)))?.id as string | undefined,
    async startProcess(kind) {
      const life = lifeOf(kind)
      const process: Process = { life, cloud: undefined }
      world[kind] = process
      const starting = createCloud({
        config,
        services: extended,
        database: databaseFor(world.disk, life),
        bus: busFor(wire('control'), clockFor(clock, life), life),
        clock: clockFor(clock, life),
        ids,
        log: logInto(timeline, kind),
        validateResponses: options.validate ?? false,
        sagaProbe: point => world.atStep(life, point),
        ...(kind === 'api' && { apiOnly: true, processName: 'api' }),
      })
      const cloud = await Promise.race([starting, life.ended])
      if (!cloud) return
      const volume = await Promise.race([volumesFor(world, cloud.env.database), life.ended])
      if (!volume) return
      Object.assign(cloud.env.services, { volume })
      life.onDeath(() => cloud.env.metrics[Symbol.dispose]())
      await Promise.race([cloud.begin(), life.ended])
      process.cloud = cloud
    },
    async startAgent(host) {
      const life = lifeOf(host.name)
      host.life = life
      const own = clockFor(clock, life)
      const { name, guests } = host
      const plane = failingPlane(host, reach)
      const driver = fakeDriver({
        ...{ clock: own, hostname: name, guests },
        ...{ vcpus: 4, memory_mb: 4096, disk_gb: 60 },
      })
      host.driver = driver
      const uploads = {
        async put(id: string, bytes: Readable, _signal: AbortSignal, base?: string) {
          const { cloud, life: its } = world.control
          if (!cloud) throw new Error('the image service does not answer')
          const ctx = createCtx(cloud.env, { requestId: 'req-upload', identity: systemIdentity })
          // A connection to a process that dies breaks; it does not wait for ever.
          const broken = its.ended.then(() => Promise.reject(new Error('the image service is gone')))
          await Promise.race([cloud.env.services.image.upload(ctx, id, bytes, base), broken])
        },
      }
      const images = { open: async () => Readable.from([]) }
      const bus = busFor(wire(name), own, life)
      const log = logInto(timeline, name)
      await Promise.race([
        startHost({ host: name, bus, clock: own, log, driver, plane, images, uploads, ephemeral: false }),
        life.ended,
      ])
    },
    async startScheduler() {
      const life = lifeOf('scheduler')
      world.scheduler = life
      await startScheduler(config, busFor(wire('scheduler'), clockFor(clock, life), life), ids)
    },
    async still() {
      for (let quiet = 0, before = -1; quiet < quietTurns; ) {
        await settle(1)
        const work = world.disk.statements + world.messages
        quiet = work === before ? quiet + 1 : 0
        before = work
      }
    },
  }
  await world.startProcess('control')
  const ports = connection.prepare('select id from network_ports where device_id = ? order by id')
  const onHost = connection.prepare('select id from compute_servers where host = ? order by id')
  await fill(world)
  await world.startProcess('api')
  for (let i = 1; i <= (options.hosts ?? 3); i++) {
    const host: Host = {
      name: `host-${i}`,
      guests: new Map(),
      plane: fakePlane({ clock }),
      driver: undefined,
      life: lifeOf('none'),
      planeFails: 0,
    }
    world.hosts.push(host)
    await world.startAgent(host)
  }
  if (isRemote) await world.startScheduler()
  await prepare(world)
  return world
}

/** The volume service that stands in for one, as one process sees it. */
async function volumesFor(world: World, database: Database): Promise<VolumeContract> {
  const volumes = await fakeVolumes(database)
  return {
    ...volumes,
    async connect(...all) {
      if (world.volumesFail <= 0) return volumes.connect(...all)
      world.volumesFail--
      world.reach('volume service fails')
      throw new BadRequest('the volume service fails, as the simulation asked')
    },
  }
}

function failingPlane(host: Host, reach: (fault: string) => void): DataPlane {
  const { plane } = host
  return {
    ...plane,
    async converge(desired) {
      if (host.planeFails <= 0) return plane.converge(desired)
      host.planeFails--
      reach('data plane fails')
      throw new Error('the data plane fails, as the simulation asked')
    },
  }
}
