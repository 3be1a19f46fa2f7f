/** A simulated cloud as a whole: one life after another behind one port, and the controls over it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#kernel/clock.ts'
import type { Config } from '#kernel/config/load.ts'
import type { Log } from '#kernel/log.ts'
import type { CheckSource } from '#kernel/policy/rule.ts'
import type { Passwords } from '../cli/data-dir.ts'
import { databaseFile } from '../cli/database.ts'
import type { Cloud } from '../cloud.ts'
import { imageConfig } from '../services/image/config.ts'
import { services } from '../services.ts'
import { callLog } from './calls.ts'
import { clockControls } from './clock-controls.ts'
import type { Controls } from './controls.ts'
import { effectsOf } from './fault-effects.ts'
import { faultsAmong } from './faults.ts'
import { openFront } from './front.ts'
import { type Beginning, beginLife, type Life, type Place } from './life.ts'
import { untilQuiet } from './quiet.ts'
import { controlService } from './service.ts'
import { restoreImages, type Snapshot, snapshotOf } from './snapshot.ts'
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
}

export interface SimulatedCloud extends AsyncDisposable {
  readonly url: string
  readonly controls: Controls
  /** The present life's. */
  readonly cloud: Cloud
}

export async function startSimulated(options: SimulatedOptions): Promise<SimulatedCloud> {
  const { dir, kept, config, log, host, port, passwords, policyOverrides = {} } = options
  const imageFolder = config.of(imageConfig).directory
  let life: Life | undefined
  const traffic = { all: 0, open: 0 }
  const clock = steeredClock(systemClock(), () => settled(life?.cloud, traffic))
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
  /** Changes of lives come one after another. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work)
    turn = mine.catch(() => {})
    return mine
  }
  async function begin(beginning: Beginning, images?: Snapshot['images']): Promise<void> {
    front.hold()
    life?.kill()
    life = undefined
    faults.clear()
    calls.clear()
    if (images) restoreImages(imageFolder, images)
    clock.run(1)
    clock.set(systemClock().now())
    life = await beginLife(place, beginning)
    front.serve(life.cloud.http)
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
    reset: () => inTurn(() => begin(first.beginning, first.images)),
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
  const goesOn = kept && existsSync(join(dir, databaseFile))
  await begin({ from: 'kept', hosts, passwords })
  // Of a cloud that goes on, what it was at first is not known: it is made anew.
  const first = goesOn
    ? { beginning: { from: 'nothing', hosts, passwords } as const, images: new Map() }
    : await snapshotOf(present(), imageFolder, passwords)

  return {
    url: front.url,
    controls,
    get cloud() {
      return present().cloud
    },
    async [Symbol.asyncDispose]() {
      await front[Symbol.asyncDispose]()
      if (kept) await present().end()
      else life?.kill()
    },
  }
}

/** Waits until only time can bring more, and says what waits for it. */
async function settled(cloud: Cloud | undefined, traffic: { all: number; open: number }): Promise<Rest> {
  let working = cloud !== undefined
  void cloud?.env.sagas.idle().then(() => {
    working = false
  })
  await untilQuiet(() => traffic.all - traffic.open + (cloud?.env.database.statements() ?? 0))
  return { working, answering: traffic.open > 0 }
}
