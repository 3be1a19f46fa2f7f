/** The fault menu: what may go wrong, now or at a place that a process comes to later; and how it is all made good again. */
import { settle } from '../../src/kernel/clock.ts'
import { idleTimeoutMs } from '../../src/kernel/control.ts'
import { messageOf } from '../../src/kernel/errors.ts'
import { GuestError, powerStates } from '../../src/services/compute/drivers/driver.ts'
import type { FakeMethod } from '../../src/services/compute/drivers/fake-faults.ts'
import { attachFailed, type Failing } from './clients.ts'
import type { Life } from './life.ts'
import { calm } from './wire.ts'
import type { Host, World } from './world.ts'

export interface Chaos {
  /** One fault, chosen by the dice. */
  strike(): void
  /** Ends all faults, and starts what is down. */
  heal(): Promise<void>
  /**
   * Whether a fault is why a request was answered so. Of answers from 500 on there are three, and all others are failures: 503 of a database that
   * failed while the request was under way, 503 to who waited for work that faults held up for longer than anybody waits, and 500 to who attaches
   * an interface, when the host failed to or was not reached.
   */
  excuses(answer: Failing): boolean
}

/** What a run of some length must have met. Those of messages and disks are counted where they hit. */
export const menu = [
  ...(['crash now', 'crash before a commit', 'crash after a commit', 'crash in a saga', 'api process dies'] as const),
  ...(['request lost', 'answer lost', 'hint lost', 'request late', 'answer late', 'hint late'] as const),
  ...(['request twice', 'hint twice', 'host cut off', 'agent restarts', 'driver fails', 'driver is slow'] as const),
  ...([
    'driver answers with an error when done',
    'data plane fails',
    'volume service fails',
    'guest dies',
    'guest switches itself off',
    'scheduler is away',
    'scheduler comes back to requests that wait',
    'host cut off for long',
    'host loses its power',
    'host comes back with guests that are elsewhere',
  ] as const),
  ...([
    'database disk full',
    'database disk error',
    'image disk full',
    'client hangs up',
    'identical requests',
  ] as const),
]

const methods: FakeMethod[] = [
  ...(['spawn', 'spawn', 'spawn', 'destroy', 'destroy', 'start', 'stop', 'reboot', 'pause', 'unpause'] as const),
  ...(['suspend', 'resume', 'attachNic', 'detachNic', 'snapshot', 'reshape', 'state', 'list'] as const),
]

const isOn = ({ power_state }: { power_state: number }) =>
  power_state === powerStates.running || power_state === powerStates.paused

/** What a saga says that a host failed, as it was asked to, or was not reached. */
const hostFailed = /No space left on device|the data plane fails|"name":"(CallTimeout|NoResponder)"/

export function chaosOf(world: World): Chaos {
  const { clock, dice, disk, timeline, reach } = world
  let commitsToCrash: { left: number; when: 'before' | 'after' } | undefined
  let stepsToCrash: number | undefined
  let failingWrites: { left: number; code: number; name: string } | undefined
  const attachings = disk.connection.prepare(
    `select error from kernel_sagas where saga = 'compute.servers.attach_interface' and subject = ? and state = 'failed' and updated_at >= ?`,
  )
  const placesOf = disk.connection.prepare('select id from compute_servers where host is not null and host <> ?')
  const waiting = disk.connection.prepare('select count(*) n from compute_build_requests')
  let databaseFailed = Number.NEGATIVE_INFINITY
  let mendings: Disposable[] = []

  function later(seconds: [number, number], act: () => void): void {
    mendings.push(clock.after(dice.between(...seconds) * 1000, act))
  }

  function kill(life: Life, why: string): void {
    if (life.dead || (life !== world.control.life && life !== world.api.life)) return
    const kind = life === world.control.life ? 'control' : 'api'
    reach(why)
    timeline.note(`* ${kind} dies: ${why}`)
    world[kind].cloud = undefined
    life.kill()
    later([0, 20], () => void restart(kind))
  }

  async function restart(kind: 'control' | 'api'): Promise<void> {
    if (!world[kind].life.dead) return
    timeline.note(`* ${kind} starts`)
    try {
      await world.startProcess(kind)
    } catch (error) {
      // As whoever watches over it would: it is started again.
      timeline.note(`* ${kind} does not start: ${messageOf(error)}`)
      world[kind].life.kill()
      later([1, 5], () => void restart(kind))
    }
  }

  disk.atCommit = (life, when) => {
    if (!commitsToCrash || commitsToCrash.when !== when || --commitsToCrash.left > 0) return
    commitsToCrash = undefined
    kill(life, `crash ${when} a commit`)
  }
  disk.mayWrite = () => {
    if (!failingWrites) return
    const { name, code } = failingWrites
    if (--failingWrites.left === 0) failingWrites = undefined
    reach(name)
    databaseFailed = clock.now()
    timeline.note(`  ${name}`)
    throw Object.assign(new Error(name), { code: 'ERR_SQLITE_ERROR', errcode: code })
  }
  world.atStep = async (life, point) => {
    if (stepsToCrash === undefined || --stepsToCrash > 0) return
    stepsToCrash = undefined
    timeline.note(`* at ${point.at} ${point.step} of ${point.saga} ${point.subject}`)
    kill(life, 'crash in a saga')
    // The process is gone at this point: nothing of the saga may go on.
    if (life.dead) await new Promise<never>(() => {})
  }

  function stopAgent(host: Host): void {
    if (host.life.dead) return
    reach('agent restarts')
    timeline.note(`* agent of ${host.name} dies`)
    host.life.kill()
    later([1, 120], () => void startAgent(host))
  }

  async function startAgent(host: Host): Promise<void> {
    if (!host.life.dead) return
    timeline.note(`* agent of ${host.name} starts`)
    await world.startAgent(host)
  }

  function hostFault(host: Host): void {
    const method = dice.pick(methods)!
    const kind = dice.pick([
      'driver fails',
      'driver fails',
      'driver is slow',
      'driver answers with an error when done',
    ] as const)!
    const error = new GuestError('No space left on device.', { retryElsewhere: dice.chance(0.5) })
    timeline.note(`* ${host.name}: ${kind} at ${method}`)
    host.driver?.inject({
      method,
      call: dice.between(1, 2),
      ...(kind === 'driver is slow' ? { delayMs: dice.between(1, 100) * 1000 } : { error }),
      ...(kind === 'driver answers with an error when done' && { afterwards: true }),
      hit: () => reach(kind),
    })
  }

  function guestFault(host: Host): void {
    const id = dice.pick([...host.guests.keys()].filter(key => host.guests.get(key)?.power_state === 1))
    if (!id || host.life.dead) return
    const dies = dice.chance(0.5)
    reach(dies ? 'guest dies' : 'guest switches itself off')
    timeline.note(`* guest ${id} ${dies ? 'dies' : 'switches itself off'}`)
    if (dies) host.driver?.crashGuest(id)
    else host.driver?.powerOffGuest(id)
  }

  /** For as long as it takes to count as failed, and longer; clients are quiet for most of that. */
  function cutForLong({ name }: Host): void {
    world.cut.add(name)
    reach('host cut off for long')
    timeline.note(`* ${name} is cut off for long`)
    world.quietUntil = clock.now() + dice.between(50, 120) * 1000
    later([60, 600], () => comeBack(name))
  }

  function comeBack(name: string): void {
    if (!world.cut.delete(name)) return
    const { guests } = world.hosts.find(host => host.name === name)!
    const elsewhere = placesOf.all(name).filter(({ id }) => guests.has(String(id)))
    if (elsewhere.length > 0) reach('host comes back with guests that are elsewhere')
    timeline.note(`* ${name} is reached again`)
  }

  /** Its guests are off when it is back, and of its networks nothing is left. */
  function losePower(host: Host): void {
    if (host.life.dead) return
    reach('host loses its power')
    timeline.note(`* ${host.name} loses its power`)
    host.life.kill()
    for (const guest of host.guests.values()) if (isOn(guest)) guest.power_state = powerStates.shutdown
    void host.plane.purge()
    later([20, 300], () => startAgent(host))
  }

  function stopScheduler(): void {
    const { scheduler } = world
    if (!scheduler || scheduler.dead) return
    reach('scheduler is away')
    timeline.note('* the scheduler dies')
    scheduler.kill()
    later([5, 200], () => startScheduler())
  }

  async function startScheduler(): Promise<void> {
    if (!world.scheduler?.dead) return
    if (waiting.get()?.n !== 0) reach('scheduler comes back to requests that wait')
    timeline.note('* the scheduler starts')
    await world.startScheduler()
  }

  const faults: Record<string, [number, () => void]> = {
    weather: [
      4,
      () => {
        world.weather = {
          lost: dice.between(0, 20) / 100,
          duplicated: dice.between(0, 20) / 100,
          late: dice.between(0, 20) / 100,
        }
        timeline.note(`* bad weather ${JSON.stringify(world.weather)}`)
        later([5, 200], () => {
          world.weather = calm
        })
      },
    ],
    crash: [2, () => kill(world.control.life, 'crash now')],
    api: [1, () => kill(world.api.life, 'api process dies')],
    commit: [4, () => (commitsToCrash = { left: dice.between(1, 40), when: dice.pick(['before', 'after'] as const)! })],
    saga: [4, () => (stepsToCrash = dice.between(1, 30))],
    cut: [
      2,
      () => {
        const { name } = dice.pick(world.hosts)!
        world.cut.add(name)
        timeline.note(`* ${name} is cut off`)
        later([1, 150], () => comeBack(name))
      },
    ],
    long: [2, () => cutForLong(dice.pick(world.hosts)!)],
    power: [1, () => losePower(dice.pick(world.hosts)!)],
    agent: [2, () => stopAgent(dice.pick(world.hosts)!)],
    driver: [12, () => hostFault(dice.pick(world.hosts)!)],
    plane: [2, () => (dice.pick(world.hosts)!.planeFails += dice.between(1, 3))],
    volumes: [3, () => (world.volumesFail += dice.between(1, 3))],
    scheduler: [3, stopScheduler],
    guest: [4, () => guestFault(dice.pick(world.hosts)!)],
    full: [1, () => (failingWrites = { left: dice.between(1, 6), code: 13, name: 'database disk full' })],
    eio: [2, () => (failingWrites = { left: dice.between(1, 3), code: 10, name: 'database disk error' })],
    files: [2, () => (world.files.full += dice.between(1, 3))],
  }
  const weights = Object.fromEntries(Object.entries(faults).map(([name, [weight]]) => [name, weight]))

  return {
    strike() {
      faults[dice.weighted(weights)]![1]()
    },
    async heal() {
      commitsToCrash = undefined
      stepsToCrash = undefined
      failingWrites = undefined
      world.files.full = 0
      world.volumesFail = 0
      world.weather = calm
      world.quietUntil = 0
      for (const name of [...world.cut]) comeBack(name)
      for (const mending of mendings) mending[Symbol.dispose]()
      mendings = []
      for (const host of world.hosts) {
        host.planeFails = 0
        await startAgent(host)
      }
      await startScheduler()
      await restart('control')
      await restart('api')
      await settle()
    },
    excuses(answer) {
      const { status, text, sent } = answer
      if (status === 503 && text.includes('The database cannot be used at the moment.')) return databaseFailed >= sent
      if (status === 503 && text.includes('The work goes on.')) return clock.now() - sent >= idleTimeoutMs
      const server = attachFailed(answer)
      if (server === undefined) return false
      const errors = attachings.all(server, new Date(sent).toISOString()).map(row => String(row.error))
      return errors.some(error => hostFailed.test(error))
    },
  }
}
