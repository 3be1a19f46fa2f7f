/** Runs sagas: replays them after a crash, unwinds them on failure, ends them at their deadline, lets a delete win. */
import { type Ctx, createCtx, type Env, type Identity } from '../context.ts'
import { DatabaseOutage } from '../db/outage.ts'
import { messageOf } from '../errors.ts'
import { loggedFacts } from '../log.ts'
import { factsIn } from '../request-facts.ts'
import { nextTurn } from '../turns.ts'
import { byRevision, journalNote, journalStart, revisionOf } from './begin.ts'
import { undoingClaims } from './claims.ts'
import { journal, type SagaRow, type UnfinishedSaga } from './journal.ts'
import { execute, type Outcome, type SagaProbe, type Unwritten } from './run.ts'
import { DeadlineExceeded, type Saga, SagaCancelled, type SagaError } from './saga.ts'

export interface Sagas extends AsyncDisposable {
  /** Journals a saga in the caller's transaction and runs it after the commit. Sagas of one subject run in order. Returns its id. */
  start<Input>(ctx: Ctx, definition: Saga<Input>, input: Input, subject: string): Promise<string>
  /** Journals what was done to a subject at once, in the caller's transaction, beside what sagas do to it. */
  note(ctx: Ctx, name: string, subject: string): Promise<void>
  /** Tells the unfinished sagas of a subject to make way: they stop where they are and unwind. */
  cancel(ctx: Ctx, subject: string): Promise<void>
  /**
   * Takes up what the journal has unfinished (of one subject, or at all) and nobody runs, and passes on what was cancelled: after a crash, and
   * for what other processes have begun.
   */
  recover(subject?: string): Promise<void>
  /** Resolves when no saga of the subject (or at all) is left running. For tests and clean stops. */
  idle(subject?: string): Promise<void>
  /** True while the process is stopping: sagas pause and go on at the next start. */
  readonly stopping: boolean
}

interface Live {
  row: UnfinishedSaga
  abort: AbortController
  done: Promise<void>
}

/** Waits between attempts to undo a step: the last is repeated for as long as it takes. */
const undoRetryDelays = [100, 1_000, 5_000, 30_000]

/** How often a saga looks whether a database that was away is back. */
const outageRetryMs = 2_000

/** `env` is read when sagas run, so the engine can be part of it. */
export function createSagas(env: () => Env, definitions: readonly Saga[], probe: SagaProbe = () => {}): Sagas {
  const known = byRevision(definitions)
  const live = new Map<string, Live>()
  const tails = new Map<string, Promise<void>>()
  /** Looks for earlier sagas of a subject. */
  const looks = new Map<Promise<void>, string>()
  /** Sagas that this release does not know. */
  const strangers = new Set<string>()
  let stopping = false

  function contextOf(row: SagaRow): Ctx {
    return createCtx(env(), { ...factsIn(row), identity: row.identity as unknown as Identity })
  }

  function launch(row: UnfinishedSaga): void {
    if (stopping || live.has(row.id) || strangers.has(row.id)) return
    const abort = new AbortController()
    // Not in the turn of the request that began it: its answer goes out first.
    const before = (tails.get(row.subject) ?? Promise.resolve()).then(nextTurn)
    const done = before
      .then(() => runToEnd(row.id, abort))
      .catch(error => env().log.error({ err: error, saga: row.saga, saga_id: row.id }, 'saga engine failed'))
    live.set(row.id, { row, abort, done })
    if (row.cancel) abort.abort(new SagaCancelled('cancelled'))
    tails.set(row.subject, done)
    void done.then(() => {
      live.delete(row.id)
      if (tails.get(row.subject) === done) tails.delete(row.subject)
    })
  }

  /** One that another process began before it, of which nobody has told here yet, goes first. */
  function launchInTurn(row: UnfinishedSaga): void {
    const { subject, nth } = row
    const followsOne = () => [...live.values()].some(l => l.row.subject === subject && l.row.nth === nth - 1)
    if (nth === 1 || followsOne()) return void launch(row)
    const look = takeUp(subject)
      .catch(error => env().log.error({ err: error, subject }, 'sagas are taken up later'))
      .finally(() => looks.delete(look))
    looks.set(look, subject)
  }

  async function takeUp(subject?: string): Promise<void> {
    const { root } = env().database
    for (const row of await (subject === undefined ? journal.unfinished(root) : journal.unfinishedOf(root, subject))) {
      if (row.cancel) live.get(row.id)?.abort.abort(new SagaCancelled('cancelled'))
      launch(row)
    }
  }

  /** What the database cannot take now is no failure of a saga: others of its subject wait, and it goes on later. */
  async function runToEnd(id: string, abort: AbortController): Promise<void> {
    const { clock, log } = env()
    const unwritten: Unwritten = {}
    while (!stopping) {
      try {
        return await runThrough(id, abort, unwritten)
      } catch (error) {
        if (!(error instanceof DatabaseOutage)) throw error
        log.warn({ saga_id: id, err: error.message, retry_ms: outageRetryMs }, 'a saga waits for the database')
      }
      await clock.sleep(outageRetryMs)
    }
  }

  async function runThrough(id: string, abort: AbortController, unwritten: Unwritten): Promise<void> {
    const { clock, database, log, metrics } = env()
    const row = await journal.get(database.root, id)
    if (!row || row.state === 'done' || row.state === 'failed' || stopping) return
    if (row.cancel) abort.abort(new SagaCancelled('cancelled'))
    const definition = known.get(revisionOf(row.saga, row.revision))
    if (!definition) {
      strangers.add(id)
      log.error(
        { saga: row.saga, revision: row.revision, saga_id: id },
        'no such saga in this release: it stays until a release that knows it runs',
      )
      return
    }
    const ctx = contextOf(row)
    using _deadline = clock.after(Math.max(0, Date.parse(row.deadline_at) - clock.now()), () =>
      abort.abort(new DeadlineExceeded(`not done by ${row.deadline_at}`)),
    )
    for (let attempt = 0; ; attempt++) {
      const steps = await journal.steps(database.root, id)
      // It was written, and only the answer was lost.
      if (steps.some(({ seq }) => seq === unwritten.step?.seq)) unwritten.step = undefined
      const pass = { ctx, row, definition, steps, unwritten, abort, stopping: () => stopping, probe }
      const outcome: Outcome = await execute(pass)
      if (outcome.kind === 'paused' || outcome.kind === 'done') return
      if (outcome.kind === 'undone') {
        log.warn(
          {
            ...loggedFacts(ctx),
            ...{ saga: row.saga, saga_id: id, subject: row.subject },
            ...{ step: outcome.error.step, err: outcome.error.message },
          },
          'saga failed and was undone',
        )
        return fail(ctx, definition, row, outcome.error)
      }
      // An undo failed: leaving its effect behind is not an option, so it is tried again for as long as it takes.
      row.state = 'unwinding'
      row.error = outcome.error
      const delay = undoRetryDelays[Math.min(attempt, undoRetryDelays.length - 1)]!
      log.error(
        {
          ...loggedFacts(ctx),
          ...{ saga: row.saga, saga_id: id, subject: row.subject },
          ...{ step: outcome.step, err: outcome.cause, retry_ms: delay },
        },
        'undo failed; it will be tried again',
      )
      metrics.sagaStep({ saga: row.saga, step: outcome.step, outcome: 'undo_failed' }, 0)
      await clock.sleep(delay)
      if (stopping) return
    }
  }

  async function fail(ctx: Ctx, definition: Saga, row: SagaRow, error: SagaError): Promise<void> {
    await ctx.transaction(async tx => {
      await definition.failed?.(tx, row.input, error, undoingClaims(tx, row))
      const updated_at = new Date(ctx.clock.now()).toISOString()
      await journal.update(tx.db, row.id, { state: 'failed', error, updated_at })
    })
  }

  return {
    async start(ctx, definition, input, subject) {
      const row = await journalStart(ctx, known, definition, input, subject)
      ctx.afterCommit(() => launchInTurn(row))
      return row.id
    },
    note: journalNote,
    async cancel(ctx, subject) {
      if ((await journal.cancel(ctx.db, subject)) === 0) return
      ctx.afterCommit(() => {
        for (const { row, abort } of live.values()) {
          if (row.subject === subject) abort.abort(new SagaCancelled('cancelled'))
        }
      })
    },
    recover: takeUp,
    async idle(subject) {
      const isMeant = (one: string) => subject === undefined || one === subject
      const waiting = () => [
        ...[...looks].filter(([, one]) => isMeant(one)).map(([look]) => look),
        ...[...live.values()].filter(({ row }) => isMeant(row.subject)).map(l => l.done),
      ]
      for (let all = waiting(); all.length > 0; all = waiting()) await Promise.all(all)
    },
    get stopping() {
      return stopping
    },
    async [Symbol.asyncDispose]() {
      stopping = true
      for (const { abort } of live.values()) abort.abort(new Error('the process stops'))
      await Promise.all([...looks.keys(), ...[...live.values()].map(l => l.done.catch(messageOf))])
    },
  }
}
