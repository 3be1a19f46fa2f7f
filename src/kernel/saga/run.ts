/** One pass over a saga: forward through its steps, from the journal where they are done; backward through the undos when one fails. */
import type { Ctx } from '../context.ts'
import { type Db, outsideTransaction } from '../db/database.ts'
import { DatabaseOutage } from '../db/outage.ts'
import { messageOf } from '../errors.ts'
import { journal, type SagaRow, type StepRow } from './journal.ts'
import { type Saga, SagaCancelled, type SagaError, type SagaRun } from './saga.ts'

export type Outcome =
  | { kind: 'done' }
  /** The process stops: the journal says where to go on. */
  | { kind: 'paused' }
  | { kind: 'undone'; error: SagaError }
  | { kind: 'undo-failed'; error: SagaError; step: string; cause: unknown }

/** The step that was done last, while it is not in the journal: it goes there with what is written next. After a crash until then it is done anew. */
export interface Unwritten {
  step?: StepRow | undefined
}

export interface Pass {
  ctx: Ctx
  row: SagaRow
  definition: Saga
  /** In the journal. */
  steps: StepRow[]
  /** Done in this process, for which the journal could not be written yet. */
  unwritten: Unwritten
  abort: AbortController
  stopping: () => boolean
  probe: SagaProbe
}

/** A place in a saga at which a test may fail it, stop it or kill it. */
export interface ProbePoint {
  saga: string
  subject: string
  step: string
  /** Which step of the saga it is, from 0. */
  seq: number
  /** `acted`: the effect is there, the journal does not know yet. `journaled`: it is in the journal, or will be with what is written next. */
  at: 'before' | 'acted' | 'journaled' | 'undo'
  /** Of the request that started the saga. */
  ctx: Ctx
  /** Aborted when the saga is to end. */
  signal: AbortSignal
}
export type SagaProbe = (point: ProbePoint) => Promise<void> | void

interface Undo {
  name: string
  run: () => Promise<void>
}

/** Where a saga is. */
interface Position {
  seq: number
  step: string
  startedAt: string
  /** The step is in the journal, or unwritten. */
  journaled: boolean
}

/** How far a pass has come. */
interface Progress {
  at?: Position
  /** The last record said that the saga is done. */
  ended?: boolean
}

/** Ends a replay that only gathers the undos of what was done. */
class EndOfJournal extends Error {}

/** Throws `DatabaseOutage` when nothing can be written down now. */
export async function execute(pass: Pass): Promise<Outcome> {
  const { ctx, row, definition, unwritten, abort, stopping } = pass
  const undos: Undo[] = []
  const progress: Progress = {}
  // A saga that was already unwinding only replays its journal, to find the undos again.
  const replayOnly = row.state === 'unwinding'
  let hasFailed = replayOnly
  try {
    await outsideTransaction(() => definition.run(runOf(pass, undos, progress, replayOnly), row.input))
  } catch (error) {
    if (progress.ended) return { kind: 'done' }
    if (stopping()) {
      await writeDown(ctx, unwritten)
      return { kind: 'paused' }
    }
    hasFailed = true
    if (!replayOnly) {
      const cause = abort.signal.aborted ? abort.signal.reason : error
      // No failure of the saga's: the journal says where to go on once it can be written.
      if (cause instanceof DatabaseOutage) throw cause
      row.error = errorOf(cause, progress.at?.step)
      row.state = 'unwinding'
      await journalFailure(pass, progress.at, row.error)
    } else if (!(error instanceof EndOfJournal)) ctx.log.error({ err: error, saga: row.saga }, 'replay ended early')
  }
  if (!hasFailed) {
    if (!progress.ended) await writeDown(ctx, unwritten, tx => sayDone(tx, row))
    return { kind: 'done' }
  }
  const error = row.error ?? errorOf(new Error('unwound'), undefined)
  for (const undo of undos.reverse()) {
    if (stopping()) return { kind: 'paused' }
    try {
      const began = ctx.clock.monotonic()
      await undo.run()
      measure(ctx, row, undo.name, 'undone', began)
    } catch (cause) {
      return { kind: 'undo-failed', error, step: undo.name, cause }
    }
  }
  return { kind: 'undone', error }
}

const sayDone = ({ db, clock }: Ctx, { id }: SagaRow) =>
  journal.update(db, id, { state: 'done', updated_at: new Date(clock.now()).toISOString() })

/** Writes to the journal what is not there yet, in one transaction with what `write` does. */
async function writeDown(ctx: Ctx, unwritten: Unwritten, write?: (ctx: Ctx) => Promise<unknown>): Promise<void> {
  const { step } = unwritten
  if (step && write)
    await ctx.transaction(async tx => {
      await journal.addStep(tx.db, step)
      await write(tx)
    })
  else if (step) await journal.addStep(ctx.db, step)
  else await write?.(ctx)
  unwritten.step = undefined
}

/** From then on the saga only unwinds. */
async function journalFailure(
  { ctx, row, unwritten }: Pass,
  at: Position | undefined,
  error: SagaError,
): Promise<void> {
  const finished_at = now(ctx)
  await ctx.transaction(async ({ db }) => {
    if (unwritten.step) await journal.addStep(db, unwritten.step)
    await journal.update(db, row.id, { state: 'unwinding', error, updated_at: finished_at })
    if (!at) return
    if (at.journaled) return void (await journal.updateStep(db, row.id, at.seq, { error: error.message }))
    await journal.addStep(db, { ...newStep(row, at, finished_at), error: error.message })
  })
  unwritten.step = undefined
}

/** That of a step which failed, unless the caller says otherwise. */
const newStep = (row: SagaRow, { seq, step, startedAt }: Position, finished_at: string): StepRow => ({
  ...{ saga_id: row.id, seq, name: step, state: 'failed', output: null, error: null },
  ...{ started_at: startedAt, finished_at, undo_started_at: null, undone_at: null },
})

const now = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()

function measure(ctx: Ctx, row: SagaRow, step: string, outcome: 'done' | 'undone', began: number): void {
  ctx.metrics.sagaStep({ saga: row.saga, step, outcome }, (ctx.clock.monotonic() - began) / 1000)
}

function errorOf(error: unknown, step: string | undefined): SagaError {
  return {
    name: error instanceof Error ? error.name : 'Error',
    message: messageOf(error),
    step,
    details: error instanceof Error ? (error.stack ?? '') : '',
    cancelled: error instanceof SagaCancelled,
  }
}

function runOf(
  { ctx, row, steps, unwritten, abort, probe }: Pass,
  undos: Undo[],
  progress: Progress,
  replayOnly: boolean,
): SagaRun {
  const gone = unwritten.step ? [...steps, unwritten.step] : steps
  let seq = 0

  /** The next step, with its row when an earlier pass came to it. */
  function next(name: string): { at: Position; known: StepRow | undefined } {
    const number = seq++
    const known = gone.find(s => s.seq === number)
    if (known && known.name !== name) {
      throw new Error(
        `step ${number} of ${row.saga}@${row.revision} was "${known.name}" and is now "${name}": give the saga a new revision`,
      )
    }
    const at = { seq: number, step: name, startedAt: now(ctx), journaled: known !== undefined }
    progress.at = at
    return { at, known }
  }

  /** Called before a step that is not in the journal as one to go on from. */
  function mayRun(): void {
    if (replayOnly) throw new EndOfJournal()
    abort.signal.throwIfAborted()
  }

  const reached = (place: ProbePoint['at'], { step, seq }: Position) =>
    probe({ saga: row.saga, subject: row.subject, step, seq, at: place, ctx, signal: abort.signal })

  function markUndone(db: Db, seq: number, undo_started_at: string) {
    return journal.updateStep(db, row.id, seq, { state: 'undone', undo_started_at, undone_at: now(ctx) })
  }

  const doneRow = (at: Position, output: unknown): StepRow => ({
    ...newStep(row, at, now(ctx)),
    ...{ state: 'done', output: output ?? null },
  })

  async function record<T>(
    name: string,
    act: (ctx: Ctx) => Promise<T>,
    { undo, isLast = false }: { undo?: ((ctx: Ctx, output: T) => Promise<void>) | undefined; isLast?: boolean },
  ): Promise<T> {
    const { at, known } = next(name)
    const remember = (output: T) => {
      if (!undo) return
      undos.push({
        name,
        run: () =>
          ctx.transaction(async tx => {
            const startedAt = now(ctx)
            await undo(tx, output)
            await markUndone(tx.db, at.seq, startedAt)
          }),
      })
    }
    if (known?.state === 'done') remember(known.output as T)
    if (known && known.error === null) return known.output as T
    mayRun()
    const began = ctx.clock.monotonic()
    await reached('before', at)
    const output = await ctx.transaction(async tx => {
      if (unwritten.step) await journal.addStep(tx.db, unwritten.step)
      const result = await act(tx)
      await journal.addStep(tx.db, doneRow(at, result))
      if (isLast) await sayDone(tx, row)
      return result
    })
    unwritten.step = undefined
    at.journaled = true
    progress.ended = isLast
    measure(ctx, row, name, 'done', began)
    remember(output)
    await reached('journaled', at)
    return output
  }

  return {
    id: row.id,
    ctx,
    signal: abort.signal,
    async step(name, act, undo) {
      const { at, known } = next(name)
      let output = (known?.output ?? undefined) as Awaited<ReturnType<typeof act>> | undefined
      // Registered before it runs: what a step did before it failed, or before a crash, has to be undone as well.
      if (undo && known?.state !== 'undone') {
        undos.push({
          name,
          run: async () => {
            const startedAt = now(ctx)
            await reached('undo', at)
            await undo(output)
            await markUndone(ctx.database.root, at.seq, startedAt)
          },
        })
      }
      if (known && known.error === null) return known.output as Awaited<ReturnType<typeof act>>
      mayRun()
      // What it follows from is written down before it is done.
      await writeDown(ctx, unwritten)
      const began = ctx.clock.monotonic()
      await reached('before', at)
      const result = await act(abort.signal)
      await reached('acted', at)
      // As it is now: what goes on may change what it was given.
      unwritten.step = doneRow(at, JSON.parse(JSON.stringify(result ?? null)))
      at.journaled = true
      measure(ctx, row, name, 'done', began)
      output = result
      await reached('journaled', at)
      return result
    },
    record: (name, act, undo) => record(name, act, { undo }),
    last: (name, act) => record(name, act, { isLast: true }),
  }
}
