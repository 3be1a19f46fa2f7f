/** The compute half of a host's agent: does what the control plane says through the virt driver, and reports what is there. */
import type { Readable } from 'node:stream'
import { type Bus, type CallContext, subjectWord } from '#kernel/bus/bus.ts'
import { client, serveMethods } from '#kernel/bus/methods.ts'
import type { Clock } from '#kernel/clock.ts'
import { Fault, messageOf } from '#kernel/errors.ts'
import { type Log, loggedFacts } from '#kernel/log.ts'
import { AgentRefusal, type Backup, GuestError, type GuestEvent, type VirtDriver } from '../drivers/driver.ts'
import {
  type ComputeAgentMethods,
  type ComputeControlMethods,
  computeAgentSubject,
  computeAgentVersion,
  computeControlSubject,
  computeControlVersion,
  type MachineState,
} from './methods.ts'
import { type AboutGuest, ordersTaken, questions } from './order.ts'
import { perGuest } from './per-guest.ts'
import { reportEveryMs, reporter } from './reporter.ts'

/** Where a host puts the bytes of a new image. */
export interface SnapshotSink {
  /** `base`: the image that the bytes are only the changes to. */
  put(imageId: string, bytes: Readable, signal: AbortSignal, base?: string): Promise<void>
}

export interface ComputeAgentOptions {
  bus: Bus
  host: string
  driver: VirtDriver
  clock: Clock
  log: Log
  uploads: SnapshotSink
  machine?: () => MachineState
}

/** After a change that we made ourselves: more may come, and one report tells all. */
const gatherMs = 1_000
const purgeEveryMs = 3_600_000
const purgeKeptEveryMs = 60_000
const imageKeptMs = 24 * 3_600_000

/** Adopts the guests that run already, serves calls, and reports until disposed of. The driver stays the caller's. */
export async function computeAgent(options: ComputeAgentOptions): Promise<AsyncDisposable> {
  const { bus, host, driver, clock } = options
  const log = options.log.child({ host })
  const control = client<ComputeControlMethods>(bus, computeControlSubject, {
    timeoutMs: reportEveryMs,
    version: computeControlVersion,
  })
  const stopping = new AbortController()
  const reports = reporter({ ...options, log }, control, stopping.signal)
  const adopted = await driver.recover()
  log.info({ guests: adopted.length }, 'guests adopted')
  driver.onEvent(event => void forward(event))
  const served = serveMethods<ComputeAgentMethods>(
    bus,
    computeAgentSubject(subjectWord(host)),
    computeAgentVersion,
    methodsOf(options, () => reports.within(gatherMs)),
  )
  reports.soon()
  const purges = [
    regularly(purgeEveryMs, async () => {
      const bytes = await driver.purgeImageCache(imageKeptMs)
      if (bytes > 0) log.info({ bytes }, 'unused images removed from the cache')
    }),
    regularly(purgeKeptEveryMs, async () => {
      const guests = await driver.purgeKept()
      if (guests.length > 0) log.info({ guests }, 'files of deleted guests are kept no longer')
    }),
  ]

  async function forward(event: GuestEvent): Promise<void> {
    const { id, power_state, reason } = event
    try {
      await control.call('guestEvent', { host, id, power_state, reason })
    } catch (error) {
      log.warn({ guest: id, err: messageOf(error) }, 'a change of a guest could not be told; the next report tells it')
      reports.soon()
    }
  }

  /** One run at a time; one that fails is tried again at the next. */
  function regularly(everyMs: number, work: () => Promise<void>): Disposable {
    let timer = clock.after(everyMs, () => void run())
    async function run(): Promise<void> {
      await work().catch(error => log.warn({ err: error }, 'what is not needed could not be cleared away'))
      if (!stopping.signal.aborted) timer = clock.after(everyMs, () => void run())
    }
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
  }

  return {
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('the agent stops'))
      for (const purge of purges) purge[Symbol.dispose]()
      await reports.stop()
      await served[Symbol.asyncDispose]()
    },
  }
}

/** What the bus calls. Changes of one guest run one after another; questions are answered at once. */
function methodsOf(
  { driver, uploads, clock, log, host }: ComputeAgentOptions,
  changed: () => void,
): ComputeAgentMethods {
  const { serialize, busy } = perGuest()
  const inOrder = ordersTaken()

  async function change(id: string, context: CallContext, work: () => Promise<void>): Promise<null> {
    try {
      await serialize(id, context.signal, work)
    } catch (error) {
      throw toldFault(error)
    } finally {
      changed()
    }
    return null
  }
  async function ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw toldFault(error)
    }
  }

  async function done(work: () => Promise<void>): Promise<null> {
    await ask(work)
    return null
  }
  /** Takes no turn: a guest that still boots may not answer for long, and a stop does not wait for that. */
  const askGuest = done

  async function upload({ bytes, base }: Backup, image_id: string, { signal }: CallContext): Promise<void> {
    try {
      await uploads.put(image_id, bytes, signal, base)
    } finally {
      bytes.destroy()
    }
  }

  type Noted = (input: AboutGuest, context: CallContext) => Promise<unknown>

  /** Does nothing for a call that a newer one has overtaken. Says in the log what was done to which guest for which request, never with what: that may be a password. */
  const noted =
    (method: string, work: Noted): Noted =>
    async (input, context) => {
      const began = clock.monotonic()
      const about = {
        host,
        ...(context.request && loggedFacts(context.request)),
        server_id: input.id ?? input.spec?.id,
        method,
      }
      const ms = () => Math.round(clock.monotonic() - began)
      try {
        inOrder(input)
        const answer = await work(input, context)
        log.info({ ...about, ms: ms() }, `host: ${method} done`)
        return answer
      } catch (error) {
        // Whoever asked says that it went wrong, once.
        log.info({ ...about, ms: ms(), err: messageOf(error) }, `host: ${method} failed`)
        throw error
      }
    }

  // The bus hands each method its call's context, which the methods' interface does not name.
  type WithContext = {
    [N in keyof ComputeAgentMethods]: (
      input: Parameters<ComputeAgentMethods[N]>[0],
      context: CallContext,
    ) => ReturnType<ComputeAgentMethods[N]>
  }
  const methods: WithContext = {
    facts: () => ask(() => driver.facts()),
    list: () => ask(() => driver.list()),
    state: ({ id }) => ask(() => driver.state(id)),
    consoleLog: ({ id, lines }) => ask(() => driver.consoleLog(id, lines)),
    console: ({ id, type }) => ask(() => driver.console(id, type)),
    diagnostics: ({ id, filesystems = false }) => ask(() => driver.diagnostics(id, { filesystems })),
    spawn: ({ spec, power_on }, context) =>
      change(spec.id, context, () => driver.spawn(spec, { signal: context.signal, power_on })),
    async destroy({ id, keep }, context) {
      // Interrupts what goes on with the guest; what that left is destroyed when it has ended.
      if (busy(id)) driver.destroy(id, keep).catch(() => {})
      return change(id, context, () => driver.destroy(id, keep))
    },
    keptFiles: () => ask(() => driver.keptFiles()),
    dropKept: ({ id }, context) => change(id, context, () => driver.dropKept(id)),
    snapshotKept: ({ id, image_id, format }, context) =>
      change(id, context, async () => upload({ bytes: await driver.snapshotKept(id, format) }, image_id, context)),
    start: ({ spec }, context) => change(spec.id, context, () => driver.start(spec)),
    stop: ({ id, grace_seconds }, context) => change(id, context, () => driver.stop(id, grace_seconds)),
    reboot: ({ spec, type, grace_seconds }, context) =>
      change(spec.id, context, () => driver.reboot(spec, type, grace_seconds)),
    pause: ({ id }, context) => change(id, context, () => driver.pause(id)),
    unpause: ({ id }, context) => change(id, context, () => driver.unpause(id)),
    suspend: ({ id }, context) => change(id, context, () => driver.suspend(id)),
    resume: ({ spec }, context) => change(spec.id, context, () => driver.resume(spec)),
    attachNic: ({ id, nic }, context) => change(id, context, () => driver.attachNic(id, nic)),
    detachNic: ({ id, port_id }, context) => change(id, context, () => driver.detachNic(id, port_id)),
    attachDisk: ({ id, disk }, context) => change(id, context, () => driver.attachDisk(id, disk)),
    detachDisk: ({ id, disk_id }, context) => change(id, context, () => driver.detachDisk(id, disk_id)),
    swapDisk: ({ id, disk_id, disk }, context) => change(id, context, () => driver.swapDisk(id, disk_id, disk)),
    cacheImage: ({ image }, context) => ask(() => driver.cacheImage(image, context.signal)),
    injectNmi: ({ id }, context) => change(id, context, () => driver.injectNmi(id)),
    changePassword: ({ id, user, password }) => askGuest(() => driver.changePassword(id, user, password)),
    resetNetwork: ({ id, nics }) => askGuest(() => driver.resetNetwork(id, nics)),
    guestSystem: ({ id }) => ask(() => driver.guestSystem(id)),
    runInGuest: ({ id, program }, context) => ask(() => driver.runInGuest(id, program, context.signal)),
    writeInGuest: ({ id, path, text, at }) => askGuest(() => driver.writeInGuest(id, path, text, at)),
    agentVersion: ({ id }) => ask(() => driver.agentVersion(id)),
    reshape: ({ spec, power_on, grace_seconds }, context) =>
      change(spec.id, context, () => driver.reshape(spec, { signal: context.signal, power_on, grace_seconds })),
    setAside: ({ id, grace_seconds }, context) => change(id, context, () => driver.setAside(id, grace_seconds)),
    bringBack: ({ id }, context) => change(id, context, () => driver.bringBack(id)),
    dropAside: ({ id }, context) => change(id, context, () => driver.dropAside(id)),
    prepareIncoming: ({ spec }) => ask(() => driver.prepareIncoming(spec)),
    sendAside: ({ id, to }, context) => change(id, context, () => driver.sendAside(id, to, { signal: context.signal })),
    migrateLive: ({ id, to }, context) =>
      change(id, context, () => driver.migrateLive(id, to, { signal: context.signal })),
    // Beside the migration, which has the guest's turn.
    migrationProgress: ({ id }) => ask(async () => (await driver.migrationProgress(id)) ?? null),
    forceMigration: ({ id }) => done(() => driver.forceMigration(id)),
    snapshot: ({ id, image_id, format, backup }, context) =>
      change(id, context, async () => {
        const copy = backup
          ? await driver.backup(id, { image_id, ...backup })
          : { bytes: await driver.snapshot(id, format) }
        await upload(copy, image_id, context)
      }),
  }
  return Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [
      name,
      questions.has(name) ? method : noted(name, method as Noted),
    ]),
  ) as unknown as ComputeAgentMethods
}

/** A guest's failure as the bus carries it whole; `retry_elsewhere` says whether another host might do better. */
function toldFault(error: unknown): unknown {
  if (!(error instanceof GuestError)) return error
  return new Fault(500, 'Guest Error', error.message, {
    cause: error,
    type: 'GuestError',
    extra: { retry_elsewhere: error.retryElsewhere, ...(error instanceof AgentRefusal && { refused: true }) },
  })
}
