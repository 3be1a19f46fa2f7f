/** The fake virt driver: guests in memory, instant, with faults on demand. For `--simulated`, simulation and tests. */
import { Readable } from 'node:stream'
import type { Clock } from '#kernel/clock.ts'
import {
  type DiskSpec,
  GuestError,
  type GuestEvent,
  type GuestSpec,
  type ImageSpec,
  type NicSpec,
  type PowerState,
  powerStates,
  type VirtDriver,
} from './driver.ts'
import { quiesce, resetNetwork } from './fake-agent.ts'
import { bootText, fakeConsoles, lastLines } from './fake-consoles.ts'
import { backupOf, disksOf, emptyQcow2, type FakeDisks } from './fake-disk.ts'
import { diagnostics, hostFacts } from './fake-facts.ts'
import { type FakeFault, type FakeMethod, fakeFaults } from './fake-faults.ts'
import { fakeKept, keptKey } from './fake-kept.ts'
import type { FakeMachine } from './fake-machine.ts'
import { asideKey, fakeMoves, isGuestKey } from './fake-moves.ts'
import { agentVersion, type FakeSoftware, guestSystem, runInGuest, writeInGuest } from './fake-programs.ts'
import type { Keep } from './kept.ts'

/** What the fake keeps of a guest. Plain data: a Map of these may outlive the driver, as real guests outlive the control process. */
export interface FakeGuest {
  spec: GuestSpec
  power_state: PowerState
  log: string
  nics: NicSpec[]
  started_at: number
  disks: FakeDisks
  /** Passwords set by the agent. */
  passwords?: Record<string, string>
  /** What the agent in the guest was told, where its image promises one. */
  agent?: string[]
  /** It answers nobody. */
  agentIsDown?: boolean
  /** What was made of its software. */
  software?: FakeSoftware
  /** Of a guest that is aside: it runs on another host already. */
  moved?: boolean
  /** Of one that was deleted, and whose disks are kept. */
  kept?: Keep & { deleted_at: string }
}

export interface FakeDriverOptions {
  clock: Clock
  hostname: string
  vcpus?: number
  memory_mb?: number
  disk_gb?: number
  /** What it says of its NUMA cells and devices; by default nothing. */
  machine?: FakeMachine
  faults?: FakeFault[]
  /** Where guests live, those set aside under a key of their own; pass the same Map to a second driver to play a restart of the control process. */
  guests?: Map<string, FakeGuest>
  /** Called when a guest was made, changed or removed, before the call that did it returns. */
  changed?: (id: string) => void
}

export interface FakeDriver extends VirtDriver {
  readonly guests: Map<string, FakeGuest>
  inject(...faults: FakeFault[]): void
  /** Every fault that was ever injected, and whether a call has met it. */
  injected(): { method: FakeMethod; met: boolean }[]
  /** The guest dies, as QEMU does when it is killed. */
  crashGuest(id: string, reason?: string): void
  /** The guest switches itself off. */
  powerOffGuest(id: string): void
  /** The machine loses its power: guests in memory are off, and those that arrive are lost. Nobody is told. */
  losePower(): void
  /** The guest prints to its serial console. */
  print(id: string, text: string): void
  /** The guest writes to one of its disks. */
  write(id: string, disk: string, text: string): void
}

const maxLog = 1024 * 1024
const gigabyte = 1024 ** 3

export function fakeDriver(options: FakeDriverOptions): FakeDriver {
  const { clock } = options
  const guests = options.guests ?? new Map<string, FakeGuest>()
  const images = new Map<string, { size: number; used_at: number }>()
  const listeners: ((event: GuestEvent) => void)[] = []
  const consoles = fakeConsoles(id => guests.get(id)?.log ?? '')
  const changed = (id: string) => {
    for (const key of [id, asideKey(id), keptKey(id)]) options.changed?.(key)
  }
  const { inject, injected, call, interrupt } = fakeFaults({ clock, changed })
  inject(...(options.faults ?? []))
  const kept = fakeKept({ guests, clock, disk_gb: options.disk_gb ?? 4096, call })

  function remove(id: string, keep?: Keep): void {
    interrupt(id)
    expectNobody(id)
    const guest = guests.get(id)
    if (keep && guest) kept.keep(id, guest, keep)
    guests.delete(id)
    guests.delete(asideKey(id))
  }

  function existing(id: string): FakeGuest {
    const guest = guests.get(id)
    if (!guest) throw new GuestError(`Guest ${id} is not on this host.`)
    return guest
  }

  function running(id: string): FakeGuest {
    const guest = existing(id)
    if (guest.power_state !== powerStates.running && guest.power_state !== powerStates.paused) {
      throw new GuestError(`Guest ${id} is not running.`)
    }
    return guest
  }

  function print(id: string, text: string) {
    const guest = existing(id)
    guest.log = (guest.log + text).slice(-maxLog)
  }

  function boot(guest: FakeGuest, spec: GuestSpec) {
    guest.spec = spec
    guest.nics = [...spec.nics]
    guest.disks = disksOf(spec, guest.disks)
    guest.power_state = powerStates.running
    guest.started_at = clock.now()
    print(spec.id, bootText(spec))
  }

  function useImages(spec: GuestSpec) {
    for (const disk of spec.disks) {
      if (disk.source.type !== 'image') continue
      const { image } = disk.source
      if (disk.size_gb > 0 && image.size > disk.size_gb * gigabyte) {
        throw new GuestError(
          `Flavor's disk is too small for requested image. Flavor disk is ${disk.size_gb * gigabyte} bytes, image is ${image.size} bytes.`,
        )
      }
      for (const used of [image, image.kernel, image.ramdisk]) if (used) cache(used)
    }
  }

  function setDisks(guest: FakeGuest, disks: DiskSpec[]) {
    guest.spec = { ...guest.spec, disks }
    guest.disks = disksOf(guest.spec, guest.disks)
  }

  const cache = (image: ImageSpec) => images.set(image.id, { size: image.size, used_at: clock.now() })

  function happen(id: string, power_state: PowerState, reason: string) {
    existing(id).power_state = power_state
    for (const listener of listeners) listener({ type: 'power', id, power_state, reason })
  }

  function setPower(id: string, from: PowerState, to: PowerState) {
    const guest = existing(id)
    if (guest.power_state === to) return
    if (guest.power_state !== from) throw new GuestError(`Guest ${id} is in power state ${guest.power_state}.`)
    guest.power_state = to
  }

  const states = () =>
    [...guests].filter(([id]) => isGuestKey(id)).map(([id, guest]) => ({ id, power_state: guest.power_state }))

  const { expectNobody, ...moves } = fakeMoves({ guests, call, existing, boot, useImages, changed })
  const { keep: _, ...keeping } = kept

  return {
    name: 'fake',
    guests,
    inject,
    injected,
    crashGuest: (id, reason = 'crashed') => happen(id, powerStates.crashed, reason),
    powerOffGuest: id => happen(id, powerStates.shutdown, 'guest-shutdown'),
    losePower() {
      expectNobody()
      for (const [id, guest] of guests) {
        if (guest.power_state !== powerStates.suspended) guest.power_state = powerStates.shutdown
        options.changed?.(id)
      }
    },
    print,
    write: (id, disk, text) => void existing(id).disks[disk]!.contents.push(text),
    facts: () => call('facts', undefined, () => hostFacts(options)),
    recover: () => call('recover', undefined, states),
    spawn: (spec, { signal, power_on }) =>
      call(
        'spawn',
        spec.id,
        () => {
          useImages(spec)
          const guest = guests.get(spec.id) ?? {
            spec,
            power_state: powerStates.shutdown,
            log: '',
            nics: [...spec.nics],
            started_at: 0,
            disks: disksOf(spec),
          }
          guests.set(spec.id, guest)
          if (power_on && guest.power_state !== powerStates.running) boot(guest, spec)
        },
        signal,
      ),
    destroy: (id, keep) => call('destroy', id, () => remove(id, keep)),
    start: spec =>
      call('start', spec.id, () => {
        const guest = existing(spec.id)
        if (guest.power_state === powerStates.suspended)
          throw new GuestError(`Guest ${spec.id} is suspended: resume it.`)
        if (guest.power_state !== powerStates.running) boot(guest, spec)
      }),
    stop: id =>
      call('stop', id, () => {
        existing(id).power_state = powerStates.shutdown
      }),
    reboot: spec => call('reboot', spec.id, () => boot(existing(spec.id), spec)),
    pause: id => call('pause', id, () => setPower(id, powerStates.running, powerStates.paused)),
    unpause: id => call('unpause', id, () => setPower(id, powerStates.paused, powerStates.running)),
    suspend: id => call('suspend', id, () => setPower(id, powerStates.running, powerStates.suspended)),
    resume: spec => call('resume', spec.id, () => setPower(spec.id, powerStates.suspended, powerStates.running)),
    list: () => call('list', undefined, states),
    state: id => call('state', id, () => guests.get(id)?.power_state ?? powerStates.nostate),
    consoleLog: (id, lines) => call('consoleLog', id, () => lastLines(existing(id).log, lines)),
    console: async (id, type) => {
      await call('console', id, () => running(id))
      return { type: 'tcp', host: '127.0.0.1', port: await consoles.port(id, type) }
    },
    attachNic: (id, nic) =>
      call('attachNic', id, () => {
        const guest = existing(id)
        if (!guest.nics.some(has => has.port_id === nic.port_id)) guest.nics.push(nic)
      }),
    detachNic: (id, portId) =>
      call('detachNic', id, () => {
        const guest = existing(id)
        guest.nics = guest.nics.filter(nic => nic.port_id !== portId)
      }),
    attachDisk: (id, disk) =>
      call('attachDisk', id, () => {
        const guest = existing(id)
        if (!guest.spec.disks.some(has => has.id === disk.id)) setDisks(guest, [...guest.spec.disks, disk])
      }),
    detachDisk: (id, diskId) =>
      call('detachDisk', id, () => {
        const guest = existing(id)
        setDisks(
          guest,
          guest.spec.disks.filter(disk => disk.id !== diskId),
        )
      }),
    swapDisk: (id, diskId, disk) =>
      call('swapDisk', id, () => {
        const guest = running(id)
        const { contents = [] } = guest.disks[diskId] ?? guest.disks[disk.id] ?? {}
        setDisks(
          guest,
          guest.spec.disks.map(has => (has.id === diskId ? disk : has)),
        )
        guest.disks[disk.id]!.contents = contents
      }),
    snapshot: (id, format) =>
      call('snapshot', id, () => {
        quiesce(existing(id))
        const size = Math.max(1, existing(id).spec.disks[0]?.size_gb ?? 0) * gigabyte
        return Readable.from([format === 'qcow2' ? emptyQcow2(size) : Buffer.alloc(1024 * 1024)])
      }),
    backup: (id, order) =>
      call('backup', id, () => {
        const guest = existing(id)
        quiesce(guest)
        const root = guest.disks[guest.spec.disks[0]?.id ?? '']
        if (!root) throw new GuestError(`Guest ${id} has no root disk on this host.`)
        return backupOf(root, order)
      }),
    diagnostics: (id, { filesystems } = { filesystems: false }) =>
      call('diagnostics', id, () => diagnostics(running(id), clock.now(), filesystems)),
    injectNmi: id => call('injectNmi', id, () => void running(id)),
    changePassword: (id, user, password) =>
      call('changePassword', id, () => {
        const guest = running(id)
        guest.passwords = { ...guest.passwords, [user]: password }
      }),
    resetNetwork: (id, nics) => call('resetNetwork', id, () => resetNetwork(running(id), nics)),
    guestSystem: id => call('guestSystem', id, () => guestSystem(running(id))),
    runInGuest: (id, program, signal) => call('runInGuest', id, () => runInGuest(running(id), program), signal),
    writeInGuest: (id, path, content, at) =>
      call('writeInGuest', id, () => writeInGuest(running(id), path, content, at)),
    agentVersion: id => call('agentVersion', id, () => agentVersion(running(id))),
    ...moves,
    ...keeping,
    cacheImage: image =>
      call('cacheImage', undefined, () => {
        const known = images.has(image.id)
        cache(image)
        return known ? 'existing' : 'cached'
      }),
    purgeImageCache: maxAgeMs =>
      call('purgeImageCache', undefined, () => {
        const used = new Set([...guests.values()].flatMap(guest => guest.spec.disks.map(imageOf)))
        let freed = 0
        for (const [id, { size, used_at }] of images) {
          if (used.has(id) || clock.now() - used_at < maxAgeMs) continue
          images.delete(id)
          freed += size
        }
        return freed
      }),
    onEvent: listener => void listeners.push(listener),
    [Symbol.asyncDispose]: () => consoles.close(),
  }
}

const imageOf = (disk: GuestSpec['disks'][number]) => (disk.source.type === 'image' ? disk.source.image.id : undefined)
