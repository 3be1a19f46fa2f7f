/** One running QEMU: its process, its monitor, and what it does without being told. */
import type { Clock, Timer } from '#kernel/clock.ts'
import { messageOf } from '#kernel/errors.ts'
import type { Log } from '#kernel/log.ts'
import { GuestError, type PowerState, powerStates } from '../driver.ts'
import { type GuestProcess, isAlive, killProcess } from './process.ts'
import { connectQmp, type Qmp, QmpError, type QmpEvent } from './qmp.ts'

export type Status = 'running' | 'paused'

export interface Session {
  readonly process: GuestProcess
  readonly status: Status
  execute<T = unknown>(command: string, args?: Record<string, unknown>, timeoutMs?: number): Promise<T>
  onQmpEvent(listener: (event: QmpEvent) => void): () => void
  /** Runs `work`; the changes of state that happen meanwhile were asked for, and are not reported. */
  told<T>(work: () => Promise<T>): Promise<T>
  /** From now on an end of the process is what we want, and is not reported. */
  expectExit(): void
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>
  /** Ends the process: politely first when `flush`, so that QEMU writes its caches. */
  kill(options?: { flush: boolean }): Promise<void>
  /** Stops watching; QEMU runs on. */
  leave(): void
}

export interface SessionOptions {
  process: GuestProcess
  monitor: string
  clock: Clock
  log: Log
  onPower(state: PowerState, reason: string): void
}

/** Commands that QEMU refused become errors that a user may see. */
function refused(command: string, error: unknown): unknown {
  return error instanceof QmpError
    ? new GuestError(`QEMU refused ${command}: ${error.message}`, { cause: error })
    : error
}

const diskFull = 'the disk of the host is full'

/** How long a guest that found the disk full is held before it tries again. */
const heldMs = 10_000

/** Commands with which we decide whether the guest runs. */
const deciding = ['stop', 'cont', 'migrate', 'quit']

export async function openSession(options: SessionOptions): Promise<Session> {
  const { process, clock, log } = options
  const exit = Promise.withResolvers<void>()
  const listeners = new Set<(event: QmpEvent) => void>()
  let status: Status = 'paused'
  let commands = 0
  let exitExpected = false
  let left = false
  let endReason: string | undefined
  let ioError: string | undefined
  let held: Timer | undefined

  function note(next: Status, reason: string) {
    if (status === next) return
    status = next
    if (commands === 0 && !left) options.onPower(powerStates[next], reason)
  }

  function onEvent(event: QmpEvent) {
    if (event.event === 'STOP') {
      if (ioError === diskFull) letTryAgain()
      note('paused', ioError ?? 'stopped')
    } else if (event.event === 'RESUME') {
      ioError = undefined
      note('running', 'resumed')
    } else if (event.event === 'SHUTDOWN') endReason = String(event.data.reason ?? 'shutdown')
    else if (event.event === 'BLOCK_IO_ERROR') ioError = event.data.nospace ? diskFull : 'disk error'
    for (const listener of [...listeners]) listener(event)
  }

  /** What the disk had no room for is written again when the guest goes on; while there is still none, QEMU stops it once more. */
  function letTryAgain() {
    held?.cancel()
    held = clock.after(heldMs, () => {
      execute('cont').catch(error =>
        log.debug({ err: messageOf(error) }, 'a guest that a full disk held does not go on'),
      )
    })
  }

  let qmp: Qmp = await connect()

  async function connect(): Promise<Qmp> {
    const connected = await connectQmp(options.monitor, clock, { onEvent })
    void connected.closed.then(lost)
    return connected
  }

  /** The monitor closed: either QEMU ends, or only the connection broke and QEMU takes another. */
  async function lost() {
    while (!left && (await isAlive(process))) {
      await clock.sleep(50)
      try {
        if (!left && !exitExpected && (await isAlive(process))) {
          qmp = await connect()
          status = await askStatus()
          return
        }
      } catch (error) {
        log.debug({ err: error }, 'the monitor of a guest does not answer')
      }
    }
    held?.cancel()
    if (left) return
    exit.resolve()
    if (exitExpected) return
    if (endReason) options.onPower(powerStates.shutdown, endReason)
    else options.onPower(powerStates.crashed, 'QEMU ended unexpectedly')
  }

  const execute = async <T>(command: string, args?: Record<string, unknown>, timeoutMs?: number): Promise<T> => {
    if (deciding.includes(command)) held?.cancel()
    try {
      return await qmp.execute<T>(command, args, timeoutMs)
    } catch (error) {
      throw refused(command, error)
    }
  }

  async function askStatus(): Promise<Status> {
    const answer = await execute<{ running: boolean; status: string }>('query-status')
    if (answer.status === 'io-error') letTryAgain()
    return answer.running ? 'running' : 'paused'
  }

  status = await askStatus()
  return {
    process,
    get status() {
      return status
    },
    execute,
    onQmpEvent(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async told(work) {
      commands++
      try {
        return await work()
      } finally {
        commands--
      }
    },
    expectExit() {
      exitExpected = true
    },
    exited: exit.promise,
    async kill({ flush } = { flush: false }) {
      exitExpected = true
      if (flush) {
        await execute('quit', {}, 5000).catch(() => {})
        for (let waited = 0; waited < 100 && (await isAlive(process)); waited++) await clock.sleep(20)
      }
      await killProcess(process, clock)
      qmp.close()
    },
    leave() {
      left = true
      held?.cancel()
      qmp.close()
    },
  }
}
