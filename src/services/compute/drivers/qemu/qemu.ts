/** The virt driver on QEMU: guests are QEMU processes that outlive us; their directories and their monitors are all the state there is. */
import { rm } from 'node:fs/promises'
import { GuestError, type GuestEvent, type GuestSpec, type HostFacts, type VirtDriver } from '../driver.ts'
import { chooseAccel } from './accel.ts'
import { dropAside } from './aside.ts'
import { backupDisk } from './backup.ts'
import { buildGuest, imagesOf } from './build.ts'
import type { DiskFile, Machine } from './command-line.ts'
import { lastLines, readConsoleLog } from './console-log.ts'
import { readDiagnostics } from './diagnostics.ts'
import { hostFacts, qemuVersion } from './facts.ts'
import { type Booted, filesystems, setPassword, versionOf } from './guest-agent.ts'
import { resetNetwork } from './guest-network.ts'
import { runProgram, systemOf, writeFile } from './guest-programs.ts'
import { existing, type Guest, guestsOf } from './guests.ts'
import { exists, type GuestFiles } from './host.ts'
import { cachedName, imageCache } from './image-cache.ts'
import { dropKept, keepGuest, keptFilesOf, listKept, purgeKept } from './kept.ts'
import { qemuMoves } from './moves.ts'
import { dropReleasedNics, forgetNic, placeNic, plugNic, unplugNic } from './nics.ts'
import { powerOff } from './power.ts'
import { prepareHost, type QemuDriverOptions } from './prepare.ts'
import { uptimeSeconds } from './process.ts'
import { freshMachine, readRecord, rootDisk, writeRecord } from './record.ts'
import { reshapeGuest } from './reshape.ts'
import type { Session } from './session.ts'
import { snapshotDisk } from './snapshot.ts'
import { saveMemory } from './suspend.ts'

const trimMs = 1000

/** Fails with a GuestError that names the remedy when this host cannot run guests at all. */
export async function qemuDriver(options: QemuDriverOptions): Promise<VirtDriver> {
  const { log, clock } = options
  const host = await prepareHost(options)
  const version = await qemuVersion(host)
  const { accel, reason } = await chooseAccel(host, options.accel, version.text, options.probe_kernel)
  log.info({ qemu: version.text, accel, reason }, 'QEMU is ready')

  const listeners: ((event: GuestEvent) => void)[] = []
  const guests = guestsOf(host, event => listeners.forEach(listener => void listener(event)))
  const images = imageCache(host, options.images)
  const consoleBytes = options.console_bytes ?? 1024 * 1024
  /** Images of guests that are being built: in use, though no record says so yet. */
  const building = new Map<string, string[]>()
  let facts: HostFacts | undefined
  let trimmer = clock.after(trimMs, trim)
  let closed = false

  async function trim() {
    await guests.trimLogs(consoleBytes)
    if (!closed) trimmer = clock.after(trimMs, trim)
  }

  async function build(guest: Guest, spec: GuestSpec, power_on: boolean, signal: AbortSignal) {
    // What an interrupted attempt left is of no use.
    await guests.clear(guest)
    building.set(guest.id, imagesOf(spec).map(cachedName))
    try {
      signal.throwIfAborted()
      const record = await buildGuest(host, images, spec, accel, signal)
      if (power_on) await guests.run(guest, record, record.machine, spec, signal)
    } catch (error) {
      await guests.clear(guest)
      throw error
    } finally {
      building.delete(guest.id)
    }
  }

  async function boot(guest: Guest, spec: GuestSpec, signal: AbortSignal) {
    const record = await existing(guest)
    await guests.run(guest, record, freshMachine(record.machine, spec, accel), spec, signal)
  }

  /** Sees to it that the guest is off, whatever it was. */
  async function turnOff(guest: Guest, graceSeconds: number, signal: AbortSignal) {
    await existing(guest)
    if (guest.session) await powerOff(clock, guest.session, graceSeconds, signal)
    await guests.kill(guest, { flush: true })
    // Saved memory would belong to a disk that moves on now.
    await rm(guest.files.memory, { force: true })
  }

  function copyOfRoot(
    files: GuestFiles,
    machine: Machine,
    session: Session | undefined,
    format: 'raw' | 'qcow2',
    signal: AbortSignal,
  ) {
    return snapshotDisk(host, files, session, machine, rootFile(machine), format, signal)
  }

  /** Asks the agent in a guest that runs. */
  const agentOf = <T>(id: string, ask: (booted: Booted) => Promise<T>): Promise<T> =>
    guests.looking(id, async guest => {
      const { machine } = await existing(guest)
      const { process } = await guests.running(guest)
      return await ask({ machine, files: guest.files, uptime: await uptimeSeconds(process) })
    })

  return {
    name: 'qemu',
    async facts() {
      facts ??= await hostFacts(host, options.hostname, accel, options)
      return facts
    },
    async recover() {
      await images.sweep()
      await guests.recover()
      await guests.trimLogs(consoleBytes)
      return await guests.list()
    },
    spawn: (spec, { signal, power_on }) =>
      guests.locked(spec.id, async (guest, gone) => {
        const either = signal ? AbortSignal.any([signal, gone]) : gone
        either.throwIfAborted()
        const record = await readRecord(guest.files)
        if (!record) return await build(guest, spec, power_on, either)
        if (power_on && !guest.session && !(await exists(guest.files.memory))) await boot(guest, spec, either)
      }),
    destroy: (id, keep) =>
      guests.interrupt(id, async guest => {
        const record = await readRecord(guest.files).catch(() => undefined)
        for (const name of record?.images ?? []) await images.touch(name)
        if (keep && record) {
          await guests.release(guest, { flush: true })
          await keepGuest(host, id, keep)
        }
        await guests.clear(guest)
        await dropAside(host, id)
      }),
    start: spec =>
      guests.locked(spec.id, async (guest, gone) => {
        await existing(guest)
        if (guest.session) return
        if (await exists(guest.files.memory)) throw new GuestError(`Guest ${spec.id} is suspended: resume it.`)
        await boot(guest, spec, gone)
      }),
    stop: (id, graceSeconds) => guests.locked(id, (guest, gone) => turnOff(guest, graceSeconds, gone)),
    reboot: (spec, type, graceSeconds) =>
      guests.locked(spec.id, async (guest, gone) => {
        await turnOff(guest, type === 'soft' ? graceSeconds : 0, gone)
        await boot(guest, spec, gone)
      }),
    pause: id =>
      guests.locked(id, async guest => {
        const session = await guests.running(guest)
        // One that a full disk holds as well: it is not to go on by itself.
        await session.told(() => session.execute('stop'))
      }),
    unpause: id =>
      guests.locked(id, async guest => {
        const session = await guests.running(guest)
        if (session.status === 'paused') await session.told(() => session.execute('cont'))
      }),
    suspend: id =>
      guests.locked(id, async (guest, gone) => {
        const record = await existing(guest)
        if (!guest.session && (await exists(guest.files.memory))) return
        const session = await guests.running(guest)
        await dropReleasedNics(record.machine, session)
        await writeRecord(guest.files, record)
        await saveMemory(host, guest.files, session, record.machine.spec.memory_mb, gone)
        await guests.kill(guest, { flush: false })
      }),
    resume: spec =>
      guests.locked(spec.id, async (guest, gone) => {
        const record = await existing(guest)
        if (guest.session?.status === 'running') return
        if (guest.session) return await guest.session.told(() => guest.session!.execute('cont'))
        if (!(await exists(guest.files.memory))) throw new GuestError(`Guest ${spec.id} is not suspended.`)
        await guests.run(guest, record, withTaps(record.machine, spec), spec, gone)
      }),
    list: () => guests.list(),
    state: id => guests.state(id),
    consoleLog: (id, lines) =>
      guests.looking(id, async guest => {
        await existing(guest)
        return lastLines(await readConsoleLog(guest.files.dir, consoleBytes), lines)
      }),
    console: (id, type) =>
      guests.looking(id, async guest => {
        await guests.running(guest)
        return { type: 'unix', path: `${guest.files.run}/${type === 'vnc' ? 'vnc' : 'tty'}` }
      }),
    attachNic: (id, nic) =>
      guests.locked(id, async guest => {
        const record = await existing(guest)
        placeNic(record.machine, nic)
        await writeRecord(guest.files, record)
        if (guest.session) await plugNic(record.machine, guest.session, nic)
      }),
    detachNic: (id, portId) =>
      guests.locked(id, async (guest, gone) => {
        const record = await existing(guest)
        if (guest.session && !(await unplugNic(host, guest.session, portId, gone))) {
          log.warn({ guest: id, port: portId }, 'the guest did not release a NIC; it is cut off until the next boot')
          // The device is still there, so the machine keeps it, without its tap.
          for (const nic of record.machine.spec.nics) if (nic.port_id === portId) delete nic.tap
        } else forgetNic(record.machine, portId)
        await writeRecord(guest.files, record)
      }),
    async attachDisk() {
      throw noVolumes()
    },
    async detachDisk() {
      throw noVolumes()
    },
    async swapDisk() {
      throw noVolumes()
    },
    snapshot: (id, format) =>
      guests.locked(id, async (guest, gone) => {
        const { machine } = await existing(guest)
        return await copyOfRoot(guest.files, machine, guest.session, format, gone)
      }),
    backup: (id, order) =>
      guests.locked(id, async (guest, gone) => {
        const { machine } = await existing(guest)
        return await backupDisk(host, guest.files, guest.session, machine, rootFile(machine), order, gone)
      }),
    keptFiles: () => listKept(host.instances),
    snapshotKept: (id, format) =>
      guests.locked(id, async (_, gone) => {
        const files = keptFilesOf(host, id)
        const record = await readRecord(files)
        if (!record) throw new GuestError(`No files are kept of guest ${id} on this host.`)
        return await copyOfRoot(files, record.machine, undefined, format, gone)
      }),
    dropKept: id => guests.locked(id, () => dropKept(host, id)),
    purgeKept: () => purgeKept(host, 0),
    diagnostics: (id, { filesystems: inside } = { filesystems: false }) =>
      guests.looking(id, async guest => {
        const { machine } = await existing(guest)
        const session = await guests.running(guest)
        const counters = await readDiagnostics(machine, session)
        if (!inside) return counters
        // A guest that is paused would not answer.
        const told = session.status === 'running' ? await filesystems(clock, machine, guest.files) : []
        return { ...counters, filesystems: told }
      }),
    injectNmi: id =>
      guests.looking(id, async guest => {
        await (await guests.running(guest)).execute('inject-nmi')
      }),
    changePassword: (id, user, password) => agentOf(id, booted => setPassword(clock, booted, user, password)),
    resetNetwork: (id, nics) => agentOf(id, booted => resetNetwork(clock, booted, nics)),
    guestSystem: id => agentOf(id, booted => systemOf(clock, booted)),
    runInGuest: (id, program, signal) => agentOf(id, booted => runProgram(clock, booted, program, signal)),
    writeInGuest: (id, path, content, at) => agentOf(id, booted => writeFile(clock, booted, path, content, at)),
    agentVersion: id => agentOf(id, booted => versionOf(clock, booted)),
    reshape: (spec, { signal, power_on, grace_seconds }) =>
      guests.locked(spec.id, async (guest, gone) => {
        const either = signal ? AbortSignal.any([signal, gone]) : gone
        await turnOff(guest, grace_seconds, either)
        building.set(spec.id, imagesOf(spec).map(cachedName))
        try {
          const old = await existing(guest)
          const record = await reshapeGuest(host, images, guest.files, old, spec, accel, either)
          if (power_on) await guests.run(guest, record, record.machine, spec, either)
        } finally {
          building.delete(spec.id)
        }
      }),
    ...qemuMoves({ host, guests, hostname: options.hostname, turnOff }),
    async cacheImage(image, signal = new AbortController().signal) {
      const known = await images.has(image)
      await images.fetch(image, signal)
      return known ? 'existing' : 'cached'
    },
    purgeImageCache: maxAgeMs => images.purge(maxAgeMs, [...building.values()].flat()),
    onEvent: listener => void listeners.push(listener),
    async [Symbol.asyncDispose]() {
      closed = true
      trimmer.cancel()
      for (const guest of guests.all()) guest.session?.leave()
    },
  }
}

function rootFile({ spec, disks }: Machine): DiskFile {
  const root = rootDisk(spec)
  const disk = disks.find(each => each.id === root?.id)
  if (!disk) throw new GuestError(`Guest ${spec.id} has no root disk on this host.`)
  return disk
}

const noVolumes = () => new GuestError('Volumes cannot be attached on this host.')

/** The machine as it was suspended, on the taps of today. */
function withTaps(machine: Machine, spec: GuestSpec): Machine {
  const nics = machine.spec.nics.map(nic => {
    const { tap: _, ...bare } = nic
    const tap = spec.nics.find(each => each.port_id === nic.port_id)?.tap
    return tap ? { ...bare, tap } : bare
  })
  return { ...machine, spec: { ...machine.spec, nics } }
}
