/** One pass over a saga: forward through its steps, from the journal where they are done; backward through the undos when one fails. */
import type { Ctx } from '../context.ts'
import { outsideTransaction } from '../db/database.ts'
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

export interface Pass {
  ctx: Ctx
  row: SagaRow
  definition: Saga
  steps: StepRow[]
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
  /** `acted`: the effect is there, the journal does not know yet. */
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

/** Ends a replay that only gathers the undos of what was done. */
class EndOfJournal extends Error {}

/** Throws `DatabaseOutage` when nothing can be written down now. */
export async function execute(pass: Pass): Promise<Outcome> {
  const { ctx, row, definition, abort, stopping } = pass
  const undos: Undo[] = []
  const position = { step: undefined as string | undefined }
  // A saga that was already unwinding only replays its journal, to find the undos again.
  const replayOnly = row.state === 'unwinding'
  try {
    await outsideTransaction(() => definition.run(runOf(pass, undos, position, replayOnly), row.input))
    if (!replayOnly) return { kind: 'done' }
  } catch (error) {
    if (stopping()) return { kind: 'paused' }
    if (!replayOnly) {
      const cause = abort.signal.aborted ? abort.signal.reason : error
      // No failure of the saga's: the journal says where to go on once it can be written.
      if (cause instanceof DatabaseOutage) throw cause
      row.error = errorOf(cause, position.step)
      row.state = 'unwinding'
      await journal.update(ctx.database.root, row.id, { state: 'unwinding', error: row.error, updated_at: now(ctx) })
    } else if (!(error instanceof EndOfJournal)) ctx.log.error({ err: error, saga: row.saga }, 'replay ended early')
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
  { ctx, row, steps, abort, probe }: Pass,
  undos: Undo[],
  position: { step: string | undefined },
  replayOnly: boolean,
): SagaRun {
  let seq = 0

  function next(name: string): { seq: number; done: StepRow | undefined } {
    const number = seq++
    const journaled = steps.find(s => s.seq === number && s.state !== 'failed')
    if (journaled && journaled.name !== name) {
      throw new Error(
        `step ${number} of ${row.saga}@${row.revision} was "${journaled.name}" and is now "${name}": give the saga a new revision`,
      )
    }
    position.step = name
    return { seq: number, done: journaled }
  }

  /** Called before a step that is not in the journal. */
  function mayRun(): void {
    if (replayOnly) throw new EndOfJournal()
    abort.signal.throwIfAborted()
  }

  const at = (place: ProbePoint['at'], step: string, seq: number) =>
    probe({ saga: row.saga, subject: row.subject, step, seq, at: place, ctx, signal: abort.signal })

  function markUndone(number: number) {
    return journal.updateStep(ctx.database.root, row.id, number, { state: 'undone', finished_at: now(ctx) })
  }

  function stepRow(number: number, name: string, output: unknown, startedAt: string): StepRow {
    return {
      saga_id: row.id,
      seq: number,
      name,
      state: 'done',
      output: output ?? null,
      started_at: startedAt,
      finished_at: now(ctx),
      error: null,
    }
  }

  return {
    id: row.id,
    ctx,
    signal: abort.signal,
    async step(name, act, undo) {
      const { seq: number, done } = next(name)
      let output = (done?.output ?? undefined) as Awaited<ReturnType<typeof act>> | undefined
      // Registered before it runs: what a step did before it failed, or before a crash, has to be undone as well.
      if (undo && done?.state !== 'undone') {
        undos.push({
          name,
          run: async () => {
            await at('undo', name, number)
            await undo(output)
            if (done || output !== undefined) await markUndone(number)
          },
        })
      }
      if (done) return done.output as Awaited<ReturnType<typeof act>>
      mayRun()
      const startedAt = now(ctx)
      const began = ctx.clock.monotonic()
      await at('before', name, number)
      const result = await act(abort.signal)
      await at('acted', name, number)
      await journal.addStep(ctx.database.root, stepRow(number, name, result, startedAt))
      measure(ctx, row, name, 'done', began)
      output = result
      await at('journaled', name, number)
      return result
    },
    async record(name, act, undo) {
      const { seq: number, done } = next(name)
      const remember = (output: Awaited<ReturnType<typeof act>>) => {
        if (!undo) return
        undos.push({
          name,
          run: () =>
            ctx.transaction(async tx => {
              await undo(tx, output)
              await journal.updateStep(tx.db, row.id, number, { state: 'undone', finished_at: now(ctx) })
            }),
        })
      }
      if (done) {
        const output = done.output as Awaited<ReturnType<typeof act>>
        if (done.state === 'done') remember(output)
        return output
      }
      mayRun()
      const startedAt = now(ctx)
      const began = ctx.clock.monotonic()
      await at('before', name, number)
      const output = await ctx.transaction(async tx => {
        const result = await act(tx)
        await journal.addStep(tx.db, stepRow(number, name, result, startedAt))
        return result
      })
      measure(ctx, row, name, 'done', began)
      remember(output)
      await at('journaled', name, number)
      return output
    },
  }
}
