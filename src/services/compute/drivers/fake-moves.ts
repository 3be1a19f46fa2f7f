/** How fake guests are set aside, reshaped and moved. Hosts of one process find each other here, as real ones do over the network. */
import type { GuestSpec, IncomingAddress, MigrationProgress, VirtDriver } from './driver.ts'
import { GuestError, powerStates } from './driver.ts'
import type { FakeGuest } from './fake.ts'
import { disksOf } from './fake-disk.ts'
import type { FakeMethod } from './fake-faults.ts'

/** A guest that is aside has another key, so that there may be a new one in its place. */
export const asideKey = (id: string) => `${id}.aside`
export const isGuestKey = (key: string) => !/\.(aside|kept)$/.test(key)

type Moves = Pick<
  VirtDriver,
  | 'reshape'
  | 'setAside'
  | 'bringBack'
  | 'dropAside'
  | 'prepareIncoming'
  | 'sendAside'
  | 'migrateLive'
  | 'migrationProgress'
  | 'forceMigration'
>

interface Expecting extends Moves {
  /** A guest that is sent does not arrive any more: of one, or of all. */
  expectNobody(only?: string): void
}

interface Host {
  guests: Map<string, FakeGuest>
  call<T>(method: FakeMethod, id: string | undefined, work: () => T, signal?: AbortSignal): Promise<T>
  existing(id: string): FakeGuest
  boot(guest: FakeGuest, spec: GuestSpec): void
  useImages(spec: GuestSpec): void
  changed(id: string): void
}

/** What arrives at an address. */
const expected = new Map<string, (sent: FakeGuest) => void>()
let addresses = 0

export function fakeMoves({ guests, call, existing, boot, useImages, changed }: Host): Expecting {
  /** Live migrations under way: what makes them end at once. */
  const under = new Map<string, { memory_mb: number; force: () => void; forced: Promise<void> }>()
  /** The address of each guest that is expected. */
  const awaited = new Map<string, string>()

  function asideOf(id: string): FakeGuest {
    const guest = guests.get(asideKey(id))
    if (!guest) throw new GuestError(`Guest ${id} is not set aside on this host.`)
    return guest
  }

  function deliver(to: IncomingAddress, guest: FakeGuest): void {
    const arrive = expected.get(String(to.address))
    if (!arrive) throw new GuestError('The host does not expect the guest any more.')
    arrive(structuredClone(guest))
  }

  return {
    expectNobody(only) {
      for (const [id, address] of awaited) {
        if (only !== undefined && id !== only) continue
        expected.delete(address)
        awaited.delete(id)
      }
    },
    reshape: (spec, { power_on, signal }) =>
      call(
        'reshape',
        spec.id,
        () => {
          useImages(spec)
          const guest = existing(spec.id)
          const shrunk = spec.disks.find(
            disk => disk.size_gb < (guest.disks[disk.id]?.size_gb ?? 0) && disk.id !== 'swap',
          )
          if (shrunk) throw new GuestError(`The disk ${shrunk.id} cannot be made smaller.`)
          guest.spec = spec
          guest.disks = disksOf(spec, guest.disks)
          guest.power_state = powerStates.shutdown
          if (power_on) boot(guest, spec)
        },
        signal,
      ),
    setAside: id =>
      call('setAside', id, () => {
        const guest = guests.get(id)
        if (!guest || guests.has(asideKey(id))) return
        guest.power_state = powerStates.shutdown
        guests.set(asideKey(id), guest)
        guests.delete(id)
      }),
    bringBack: id =>
      call('bringBack', id, () => {
        const guest = guests.get(asideKey(id))
        if (!guest) return
        guests.delete(asideKey(id))
        guests.set(id, { ...guest, power_state: powerStates.shutdown })
      }),
    dropAside: id => call('dropAside', id, () => void guests.delete(asideKey(id))),
    prepareIncoming: spec =>
      call('prepareIncoming', spec.id, () => {
        const address = `fake-${++addresses}`
        expected.delete(awaited.get(spec.id) ?? '')
        awaited.set(spec.id, address)
        expected.set(address, sent => {
          expected.delete(address)
          guests.set(spec.id, { ...sent, spec, nics: [...spec.nics] })
          changed(spec.id)
        })
        return { address }
      }),
    sendAside: (id, to, { signal }) =>
      call('sendAside', id, () => deliver(to, { ...asideOf(id), power_state: powerStates.shutdown }), signal),
    async migrateLive(id, to, { signal }) {
      const { promise: forced, resolve: force } = Promise.withResolvers<void>()
      const memory_mb = guests.get(id)?.spec.memory_mb ?? 0
      under.set(id, { memory_mb, force, forced })
      // What delays it is over as soon as it is forced.
      const rest = new AbortController()
      const whole = signal ? AbortSignal.any([signal, rest.signal]) : rest.signal
      try {
        await Promise.race([call('migrateLive', id, () => {}, whole), forced])
        signal?.throwIfAborted()
        if (guests.get(asideKey(id))?.moved) return
        const guest = existing(id)
        deliver(to, guest)
        guests.set(asideKey(id), { ...guest, power_state: powerStates.shutdown, moved: true })
        guests.delete(id)
        changed(id)
      } finally {
        rest.abort()
        under.delete(id)
      }
    },
    async migrationProgress(id): Promise<MigrationProgress | undefined> {
      const going = under.get(id)
      if (!going) return undefined
      const memory_total = going.memory_mb * 1024 * 1024
      const part = Math.floor(memory_total / 2)
      const disk = { disk_total: 0, disk_processed: 0, disk_remaining: 0 }
      return { memory_total, memory_processed: part, memory_remaining: memory_total - part, ...disk }
    },
    forceMigration: id =>
      call('forceMigration', id, () => {
        const going = under.get(id)
        if (!going) throw new GuestError(`Guest ${id} is not being migrated.`)
        going.force()
      }),
  }
}
