/** The guests of this host as we hold them in memory: one at a time each, watched while they run, found again after a restart. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '#kernel/errors.ts'
import {
  GuestError,
  type GuestEvent,
  type GuestSpec,
  type GuestState,
  type PowerState,
  powerStates,
} from '../driver.ts'
import type { Machine } from './command-line.ts'
import { trimConsoleLog, trimQemuLog } from './console-log.ts'
import { sweepKeys } from './disk-key.ts'
import { exists, type GuestFiles, guestFiles, guestIds, type QemuHost } from './host.ts'
import { launch } from './launch.ts'
import { endTools, findProcesses, type GuestProcess, isAlive, killProcess } from './process.ts'
import { thawed } from './quiesce.ts'
import { type GuestRecord, readRecord, writeRecord } from './record.ts'
import { diskFull } from './run.ts'
import { openSession, type Session } from './session.ts'
import { abandonSnapshot } from './snapshot.ts'

export interface Guest {
  readonly id: string
  readonly files: GuestFiles
  /** There exactly while its QEMU runs and answers. */
  session: Session | undefined
  /** A QEMU that runs but does not answer. */
  mute: GuestProcess | undefined
  crashed: boolean
  /** Aborted when the guest is to be destroyed: whatever goes on with it ends. */
  gone: AbortController
  queue: Promise<unknown>
  waiting: number
}

export interface Guests {
  all(): Guest[]
  /** Runs `work` when nothing else goes on with the guest. */
  locked<T>(id: string, work: (guest: Guest, gone: AbortSignal) => Promise<T>): Promise<T>
  /** Runs `work` at once, whatever else goes on with the guest: for what only looks. */
  looking<T>(id: string, work: (guest: Guest) => Promise<T>): Promise<T>
  /** Ends what goes on with the guest, then runs `work`. */
  interrupt(id: string, work: (guest: Guest) => Promise<void>): Promise<void>
  state(id: string): Promise<PowerState>
  list(): Promise<GuestState[]>
  /** Starts the machine and records it. */
  run(
    guest: Guest,
    record: GuestRecord,
    machine: Machine,
    spec: Pick<GuestSpec, 'disk_key'>,
    signal: AbortSignal,
  ): Promise<void>
  /** The session of a guest that must run. */
  running(guest: Guest): Promise<Session>
  /** Kills what runs and removes the directory. */
  clear(guest: Guest): Promise<void>
  /** Kills what runs. `flush`: QEMU may write its caches first. */
  kill(guest: Guest, options: { flush: boolean }): Promise<void>
  /** The same, also of a QEMU that we do not know of: nothing has the guest's files open any more. */
  release(guest: Guest, options: { flush: boolean }): Promise<void>
  recover(): Promise<void>
  trimLogs(bytes: number): Promise<void>
}

export function guestsOf(host: QemuHost, emit: (event: GuestEvent) => void): Guests {
  const guests = new Map<string, Guest>()

  function newGuest(id: string): Guest {
    const files = guestFiles(host, id)
    const made = {
      id,
      files,
      session: undefined,
      mute: undefined,
      crashed: false,
      queue: Promise.resolve(),
      waiting: 0,
    }
    return { ...made, gone: new AbortController() }
  }

  function guestOf(id: string): Guest {
    const guest = guests.get(id) ?? newGuest(id)
    guests.set(id, guest)
    return guest
  }

  async function queued<T>(id: string, work: (guest: Guest) => Promise<T>): Promise<T> {
    const guest = guestOf(id)
    guest.waiting++
    const result = guest.queue.then(() => work(guest))
    guest.queue = result.catch(() => {})
    try {
      return await result
    } catch (error) {
      throw fitForUser(error)
    } finally {
      if (--guest.waiting === 0 && !guest.session && !guest.mute && !guest.crashed) guests.delete(id)
    }
  }

  const onPower = (guest: Guest) => (power_state: PowerState, reason: string) => {
    if (power_state === powerStates.shutdown || power_state === powerStates.crashed) {
      guest.session = undefined
      guest.crashed = power_state === powerStates.crashed
    }
    host.log.info({ guest: guest.id, power_state, reason }, 'a guest changed its power state')
    emit({ type: 'power', id: guest.id, power_state, reason })
  }

  async function state(id: string): Promise<PowerState> {
    const guest = guests.get(id)
    const files = guestFiles(host, id)
    if (guest?.session) return powerStates[guest.session.status]
    if (guest?.mute && (await isAlive(guest.mute))) return powerStates.running
    if (!(await exists(files.record))) return powerStates.nostate
    if (await exists(files.memory)) return powerStates.suspended
    return guest?.crashed ? powerStates.crashed : powerStates.shutdown
  }

  async function open(guest: Guest, process: GuestProcess): Promise<Session> {
    const { clock, log } = host
    return await openSession({ process, monitor: guest.files.monitor, clock, log, onPower: onPower(guest) })
  }

  async function kill(guest: Guest, options: { flush: boolean }) {
    if (guest.session) await guest.session.kill(options)
    if (guest.mute) await killProcess(guest.mute, host.clock)
    guest.session = undefined
    guest.mute = undefined
    guest.crashed = false
  }

  async function release(guest: Guest, options: { flush: boolean }) {
    await kill(guest, options)
    if (!(await exists(guest.files.dir))) return
    const process = (await findProcesses(host.instances, host.clock)).get(guest.id)
    if (process) await killProcess(process, host.clock)
  }

  /** Takes a QEMU of an earlier life into our care, or ends it when it was not a whole guest yet. */
  async function adopt(guest: Guest, process: GuestProcess): Promise<void> {
    const { files } = guest
    if (!(await exists(files.record)) || (await exists(files.memory))) return await killProcess(process, host.clock)
    try {
      const session = await open(guest, process)
      guest.session = session
      const { status } = await session.execute<{ status: string }>('query-status')
      // Its memory was sent off but never came to rest: the guest itself is whole.
      if (status === 'postmigrate') await session.told(() => session.execute('cont'))
      // It had not been let go yet: starting it again costs nothing.
      if (status === 'prelaunch' || status === 'inmigrate') await kill(guest, { flush: false })
    } catch (error) {
      if (!(await isAlive(process))) return
      host.log.error({ guest: guest.id, err: error }, 'a guest runs, but its QEMU does not answer')
      guest.mute = process
    }
  }

  async function tidy(guest: Guest) {
    const { files } = guest
    if (!(await exists(files.dir))) return
    await abandonSnapshot(files, guest.session)
    // It may have to wait for the guest, which must not hold up the others.
    if (guest.session) void thawed(host, files)
    for (const name of await readdir(files.dir)) {
      if (/\.(part|tree)$/.test(name)) await rm(join(files.dir, name), { recursive: true, force: true })
    }
  }

  return {
    all: () => [...guests.values()],
    locked: (id, work) =>
      queued(id, async guest => {
        guest.gone.signal.throwIfAborted()
        return await work(guest, guest.gone.signal)
      }),
    async looking(id, work) {
      // A guest that nobody holds in memory does not run; this one is only for its files.
      const guest = guests.get(id) ?? newGuest(id)
      try {
        return await work(guest)
      } catch (error) {
        throw fitForUser(error)
      }
    },
    interrupt(id, work) {
      guestOf(id).gone.abort(new GuestError('The guest is being deleted.'))
      return queued(id, async guest => {
        guest.gone = new AbortController()
        await work(guest)
      })
    },
    state,
    async list() {
      const ids = await guestIds(host)
      return await Promise.all(ids.map(async id => ({ id, power_state: await state(id) })))
    },
    async run(guest, record, machine, { disk_key }, signal) {
      await writeRecord(guest.files, { ...record, machine })
      guest.session = await launch(host, guest.files, machine, disk_key, onPower(guest), signal)
      guest.crashed = false
    },
    async running(guest) {
      if (!guest.session && guest.mute && (await isAlive(guest.mute))) {
        guest.session = await open(guest, guest.mute)
        guest.mute = undefined
      }
      if (!guest.session) throw new GuestError(`Guest ${guest.id} is not running.`)
      return guest.session
    },
    kill,
    release,
    async clear(guest) {
      await release(guest, { flush: false })
      // From here on it is half a guest, whatever happens.
      await rm(guest.files.record, { force: true })
      await rm(guest.files.dir, { recursive: true, force: true })
    },
    async recover() {
      await sweepKeys(host)
      await endTools(host.instances, host.clock)
      const processes = await findProcesses(host.instances, host.clock)
      const ids = new Set([...(await guestIds(host)), ...processes.keys()])
      await Promise.all(
        [...ids].map(id =>
          queued(id, async guest => {
            const process = processes.get(id)
            if (process && !guest.session) await adopt(guest, process)
            await tidy(guest)
          }),
        ),
      )
    },
    async trimLogs(bytes) {
      for (const { id, session, files } of guests.values()) {
        if (!session) continue
        try {
          await trimConsoleLog(files.dir, bytes)
          await trimQemuLog(files.qemuLog, 256 * 1024)
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
          host.log.warn({ guest: id, err: error }, 'the console log of a guest could not be trimmed')
        }
      }
    },
  }
}

/** The record of a guest that must be on this host. */
export async function existing(guest: Guest): Promise<GuestRecord> {
  const record = await readRecord(guest.files)
  if (!record) throw new GuestError(`Guest ${guest.id} is not on this host.`)
  return record
}

/** What a user may see: a message without the host's paths in it. */
function fitForUser(error: unknown): unknown {
  if (error instanceof GuestError) return error
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(error)
  if (code !== undefined) return new GuestError(`The host failed with ${code}.`, { cause: error })
  return error instanceof Error ? error : new GuestError(messageOf(error))
}
