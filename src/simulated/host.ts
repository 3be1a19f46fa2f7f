/** A simulated host: its guests, and the agent over them, which may go away at any instant and come back. */
import { rmSync } from 'node:fs'
import type { Readable } from 'node:stream'
import type { Bus } from '#kernel/bus/bus.ts'
import { endableBus } from '#kernel/bus/endable.ts'
import { type Clock, endableClock } from '#kernel/clock.ts'
import type { Log } from '#kernel/log.ts'
import { type HostOptions, startHost } from '../agent.ts'
import type { Cloud } from '../cloud.ts'
import { computeControlSubject } from '../services/compute/agent/methods.ts'
import { computeConfig } from '../services/compute/config.ts'
import { type FakeDriver, type FakeGuest, fakeDriver } from '../services/compute/drivers/fake.ts'
import { keptGuests } from '../services/compute/drivers/fake-guests.ts'
import { fakePlane } from '../services/network/drivers/fake.ts'
import type { GuestsFate } from './controls.ts'

export interface SimulatedHost {
  readonly name: string
  readonly guests: ReadonlyMap<string, FakeGuest>
  readonly away: boolean
  /** It is there, was heard of since it came, and was told what to carry. */
  readonly ready: boolean
  /** Ids of the ports that its networks carry. */
  readonly carried: string[]
  /** Its agent starts, and adopts the guests. Nothing happens when it is there. */
  arrive(): Promise<void>
  /** Its agent is gone from this instant on, with all that it was doing. Of a host that is away only the guests die, if they should. */
  leave(guests: GuestsFate): void
  /** Ends in order; the guests stay. */
  end(): Promise<void>
}

export interface SimulatedHostOptions {
  name: string
  cloud: Cloud
  bus: Bus
  clock: Clock
  log: Log
  machine: NonNullable<HostOptions['machine']>
  /** Folder where guests outlive the process. */
  dir?: string
  /** What the folder has is of another cloud. */
  anew: boolean
  /** Those that it has besides. */
  guests: Readonly<Record<string, FakeGuest>>
}

/** The agent of a host, from an arrival to the next leave. */
interface Agent {
  readonly ready: boolean
  readonly carried: string[]
  kill(): void
  end(): Promise<void>
}

/** It is away until it arrives. */
export function simulatedHost({ name, cloud, bus, clock, log, machine, ...has }: SimulatedHostOptions): SimulatedHost {
  const kept = guestsOf(has)
  const facts = cloud.env.config.of(computeConfig).simulated
  const images: HostOptions['images'] = {
    open: (image, signal) => cloud.env.services.image.open(cloud.env, image.id, signal),
  }
  const uploads = {
    put: async (imageId: string, bytes: Readable, _signal: AbortSignal, base?: string) =>
      void (await cloud.env.services.image.upload(cloud.ctx(), imageId, bytes, base)),
  }
  let driver: FakeDriver | undefined
  let agent: Agent | undefined

  async function start(): Promise<Agent> {
    const own = { clock: endableClock(clock), bus: endableBus(bus) }
    const mine = fakeDriver({ clock: own.clock, hostname: name, machine: facts, ...kept })
    const plane = fakePlane({ clock: own.clock, alone: true })
    let heard = false
    const telling: Bus = {
      ...own.bus,
      async call(subject, payload, options) {
        const answer = await own.bus.call(subject, payload, options)
        heard ||= subject === computeControlSubject
        return answer
      },
    }
    driver = mine
    const parts = { host: name, clock: own.clock, bus: telling, log, driver, plane, images, uploads, machine }
    const agents = await startHost({ ...parts, ephemeral: false })
    return {
      get ready() {
        return heard && plane.applied !== undefined
      },
      get carried() {
        return plane.applied?.ports.map(port => port.id) ?? []
      },
      kill() {
        own.clock.end()
        own.bus.end()
        void mine[Symbol.asyncDispose]()
      },
      end: async () => agents[Symbol.asyncDispose](),
    }
  }

  return {
    name,
    guests: kept.guests,
    get away() {
      return agent === undefined
    },
    get ready() {
      return agent?.ready === true
    },
    get carried() {
      return agent?.carried ?? []
    },
    async arrive() {
      agent ??= await start()
    },
    leave(guests) {
      agent?.kill()
      agent = undefined
      if (guests === 'die') driver?.losePower()
    },
    async end() {
      await agent?.end()
    },
  }
}

function guestsOf({ dir, anew, guests }: Pick<SimulatedHostOptions, 'dir' | 'anew' | 'guests'>) {
  if (dir !== undefined && anew) rmSync(dir, { recursive: true, force: true })
  const kept = dir === undefined ? { guests: new Map<string, FakeGuest>(), changed() {} } : keptGuests(dir)
  for (const [id, guest] of Object.entries(guests)) {
    kept.guests.set(id, structuredClone(guest))
    kept.changed(id)
  }
  return kept
}
