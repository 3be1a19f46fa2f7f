/** A simulated cloud as a whole: one life after another behind one port, and the controls over it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#kernel/clock.ts'
import type { Config } from '#kernel/config/load.ts'
import { BadRequest, messageOf } from '#kernel/errors.ts'
import type { Log } from '#kernel/log.ts'
import type { CheckSource } from '#kernel/policy/rule.ts'
import { configured } from '#kernel/service.ts'
import { type Passwords, StartError } from '../cli/data-dir.ts'
import { databaseFile } from '../cli/database.ts'
import type { Cloud } from '../cloud.ts'
import { imageConfig } from '../services/image/config.ts'
import { services as allServices } from '../services.ts'
import { assertionsOf, violated } from './assertions.ts'
import { callLog } from './calls.ts'
import { clockControls } from './clock-controls.ts'
import type { Claim, Controls, Filled, Preset } from './controls.ts'
import { effectsOf } from './fault-effects.ts'
import { faultsAmong } from './faults.ts'
import { openFront } from './front.ts'
import { hostControls } from './host-controls.ts'
import { keysIn } from './leftovers.ts'
import { beginLife, type Life, type Place } from './life.ts'
import { fillCloud } from './preset.ts'
import { untilQuiet } from './quiet.ts'
import { controlService } from './service.ts'
import { restoreImages, type Snapshot, snapshotOf } from './snapshot.ts'
import { fileOf, snapshotIn } from './snapshot-file.ts'
import { type Rest, steeredClock } from './steered-clock.ts'

export interface SimulatedOptions {
  /** Folder of its files; `image.directory` of the configuration is in it. */
  dir: string
  /** Database and guests are files there, and outlive the process. */
  kept: boolean
  config: Config
  policyOverrides?: Record<string, CheckSource>
  log: Log
  passwords: Passwords
  /** How many. */
  hosts: number
  host: string
  /** 0 lets the system choose. */
  port: number
  /** What else is in a new cloud. */
  preset?: Preset
  /** A new cloud begins as what this file has. */
  snapshot?: Uint8Array
  /** Called when a snapshot brings other passwords. */
  passwordsChanged?: (passwords: Passwords, url: string) => void
}

export interface SimulatedCloud extends AsyncDisposable {
  readonly url: string
  readonly controls: Controls
  /** The present life's. */
  readonly cloud: Cloud
}

export async function startSimulated(options: SimulatedOptions): Promise<SimulatedCloud> {
  const { dir, kept, config, log, host, port, policyOverrides = {} } = options
  let { passwords } = options
  const services = await configured(allServices, config)
  const imageFolder = config.of(imageConfig).directory
  let life: Life | undefined
  /** What was there when the cloud was ready. */
  let before: ReadonlySet<string> = new Set()
  const traffic = { all: 0, open: 0 }
  const clock = steeredClock(systemClock(), () => settled(life, traffic))
  const calls = callLog(clock, systemClock())
  const faults = faultsAmong(
    services.flatMap(s => s.operations.map(one => one.id)),
    services.flatMap(s => (s.sagas ?? []).map(one => one.id)),
  )
  const { around, sagaProbe, faulty } = effectsOf(faults, calls)
  const front = await openFront({
    ...{ host, port },
    upgrades: Object.assign({}, ...services.map(s => s.upgrades)),
    came(request) {
      const ended = calls.came(request)
      traffic.all++
      traffic.open++
      return response => {
        traffic.open--
        ended(response)
      }
    },
  })
  const present = (): Life => {
    if (!life) throw new Error('the cloud has not begun, or could not begin again: see the log')
    return life
  }
  let turn: Promise<unknown> = Promise.resolve()
  /** Changes of the whole cloud come one after another. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work)
    turn = mine.catch(() => {})
    return mine
  }
  /** Another life in place of the present one. Without images those that are kept stay. */
  async function begin({ beginning, images, time }: Omit<Snapshot, 'images'> & Partial<Snapshot>): Promise<void> {
    front.hold()
    life?.kill()
    life = undefined
    faults.clear()
    calls.clear()
    if (images) restoreImages(imageFolder, images)
    const real = systemClock().now()
    // Frozen time is what it was; time that runs is never behind the outside.
    clock.set(time ? (time.speed === 0 ? time.now : Math.max(time.now, real)) : real)
    clock.run(time?.speed ?? 1)
    life = await beginLife(place, beginning)
    before = await keysIn(life.cloud.env.database.root)
    if (beginning.passwords !== passwords) options.passwordsChanged?.(beginning.passwords, front.url)
    passwords = beginning.passwords
    front.serve(life.cloud.http)
  }
  async function restore(whole: Snapshot): Promise<void> {
    try {
      await begin(whole)
    } catch (cause) {
      await first()
      const why = `No cloud can begin with this snapshot, and this one is as new: ${messageOf(cause)}`
      throw new BadRequest(why, { cause })
    }
  }
  async function fill(preset: Preset): Promise<Filled> {
    const { cloud, hosts, addHosts } = present()
    const more = Array.from({ length: preset.hosts ?? 0 }, (_, i) => `host-${hosts.length + i + 1}`)
    await addHosts(more)
    return { hosts: more, projects: await fillCloud(cloud, preset, passwords) }
  }
  const snapshot = () => snapshotOf(present(), imageFolder, passwords, { now: clock.now(), speed: clock.speed })
  async function check(claim: Claim = {}) {
    // What hosts have just been told is theirs in an instant, and is no contradiction until then.
    await settled(life, traffic)
    return assertionsOf(present(), before, claim)
  }
  const controls: Controls = {
    clock: clockControls(clock),
    faults: {
      add: async fault => faults.add(fault),
      list: async () => faults.list(),
      show: async id => faults.show(id),
      remove: async id => faults.remove(id),
      clear: async () => faults.clear(),
    },
    calls: { list: async filter => calls.list(filter), clear: async () => calls.clear() },
    assertions: {
      check,
      async require(name, claim = {}) {
        for (const assertion of await check({ ...claim, name })) if (!assertion.holds) throw violated(assertion)
      },
    },
    hosts: hostControls(present, inTurn),
    fill: preset => inTurn(() => fill(preset)),
    snapshot: () => inTurn(async () => fileOf(await snapshot())),
    restore: file => inTurn(() => restore(snapshotIn(file))),
    reset: () => inTurn(first),
  }
  const place: Place = {
    ...{ dir, kept, config, policyOverrides, clock, log },
    services: [...faulty(services), controlService(controls)],
    url: front.url,
    around,
    sagaProbe,
  }
  const names = Array.from({ length: options.hosts }, (_, i) => `host-${i + 1}`)
  const hosts = Object.fromEntries(names.map(name => [name, {}]))
  async function beginAnew(from: 'kept' | 'nothing'): Promise<void> {
    await begin({ beginning: { from, hosts, passwords }, ...(from === 'nothing' && { images: new Map() }) })
    await fill(options.preset ?? {})
    before = await keysIn(present().cloud.env.database.root)
  }
  let first = () => beginAnew('nothing')
  async function beginFirst(): Promise<void> {
    const goesOn = kept && existsSync(join(dir, databaseFile))
    if (goesOn && options.snapshot)
      throw new StartError(`a cloud is kept in ${dir}: give another --data to begin with a snapshot`)
    // What a cloud that goes on was at first is not known any more: a reset makes it anew.
    if (goesOn) return begin({ beginning: { from: 'kept', hosts, passwords } })
    if (options.snapshot) await begin(snapshotIn(options.snapshot))
    else await beginAnew('kept')
    const whole = await snapshotOf(present(), imageFolder, passwords)
    first = () => begin(whole)
  }
  async function end(): Promise<void> {
    await front[Symbol.asyncDispose]()
    if (!kept) return life?.kill()
    // What waits for time or for a fault to go would hold up an orderly end.
    faults.clear()
    clock.run(1)
    await life?.end()
  }
  try {
    await beginFirst()
  } catch (error) {
    await end()
    throw error
  }
  return {
    url: front.url,
    controls,
    get cloud() {
      return present().cloud
    },
    [Symbol.asyncDispose]: end,
  }
}

/** Waits until only time can bring more, and says what waits for it. */
async function settled(life: Life | undefined, traffic: { all: number; open: number }): Promise<Rest> {
  const env = life?.cloud.env
  let working = env !== undefined
  void env?.sagas.idle().then(() => {
    working = false
  })
  await untilQuiet(
    () => traffic.all - traffic.open + (env?.database.statements() ?? 0),
    () => life?.synced(),
  )
  const watched = life?.hosts.some(host => host.away) === true
  return { working, answering: traffic.open > 0, watched }
}
