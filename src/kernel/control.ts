/**
 * What API processes want of the one that keeps sagas and reconcilers. Hints go without an answer: the journal and the timers make up for a lost one.
 */
import { type Bus, CallTimeout, NoResponder } from './bus/bus.ts'
import { client, serveMethods } from './bus/methods.ts'
import type { Env } from './context.ts'
import { Unavailable } from './errors.ts'
import type { Part } from './health.ts'
import type { MetricsJson } from './metrics.ts'
import { byRevision, journalNote, journalStart } from './saga/begin.ts'
import type { Sagas } from './saga/engine.ts'
import { journal } from './saga/journal.ts'
import type { Saga } from './saga/saga.ts'

const controlSubject = 'kernel.control'
const controlVersion = 1
const sagasHint = 'kernel.hint.sagas'
const reconcilerHint = 'kernel.hint.reconciler'
/** Longer than any client waits for an answer. */
export const idleTimeoutMs = 600_000
const askTimeoutMs = 2_000
/** An answer may be lost, and who would give it may have died: then it is asked for again. */
const askAgainMs = 5_000

interface ControlMethods {
  /** Waits until no saga of the subject is left. */
  idle(input: { subject: string | null }): Promise<null>
  /** Of sagas. */
  health(input: null): Promise<Part>
  /** The numbers of all processes. */
  metrics(input: null): Promise<MetricsJson[]>
}

export interface ControlAnswers {
  health(): Promise<Part>
  metrics(): Promise<MetricsJson[]>
}

/** Serves the API processes until disposed of. */
export function serveControl(env: Env, answers: ControlAnswers): AsyncDisposable {
  const { bus, sagas, log } = env
  const stack = new AsyncDisposableStack()
  stack.use(
    serveMethods<ControlMethods>(bus, controlSubject, controlVersion, {
      async idle({ subject }) {
        // The hint that it began may still be under way.
        await sagas.recover(subject ?? undefined)
        await sagas.idle(subject ?? undefined)
        return null
      },
      health: () => answers.health(),
      metrics: () => answers.metrics(),
    }),
  )
  stack.use(
    bus.subscribe(sagasHint, async hint => {
      try {
        await sagas.recover((hint as { subject: string }).subject)
      } catch (error) {
        log.warn({ err: error }, 'the sagas of another process are taken up later: the journal could not be read')
      }
    }),
  )
  stack.use(bus.subscribe(reconcilerHint, hint => env.signal((hint as { id: string }).id)))
  return stack
}

export interface Control extends ControlAnswers {
  signal(reconciler: string): void
  /** Sagas as a process sees them that begins them and leaves their running to another. */
  sagas(definitions: readonly Saga[]): Sagas
}

/** The process that keeps sagas and reconcilers, as an API process reaches it. */
export function controlOver(bus: Bus): Control {
  const { call } = client<ControlMethods>(bus, controlSubject, { timeoutMs: askTimeoutMs, version: controlVersion })
  /** False when no answer came. */
  async function isIdle(subject: string | undefined, deadline: number): Promise<boolean> {
    try {
      await call('idle', { subject: subject ?? null }, { deadline })
      return true
    } catch (error) {
      if (error instanceof NoResponder) await bus.clock.sleep(deadline - bus.clock.now())
      else if (!(error instanceof CallTimeout)) throw error
      return false
    }
  }

  return {
    health: () => call('health', null),
    metrics: () => call('metrics', null),
    signal: id => bus.publish(reconcilerHint, { id }),
    sagas(definitions) {
      const known = byRevision(definitions)
      const hint = (subject: string) => bus.publish(sagasHint, { subject })
      let stopping = false
      return {
        async start(ctx, definition, input, subject) {
          const row = await journalStart(ctx, known, definition, input, subject)
          ctx.afterCommit(() => hint(subject))
          return row.id
        },
        note: journalNote,
        async cancel(ctx, subject) {
          if ((await journal.cancel(ctx.db, subject)) > 0) ctx.afterCommit(() => hint(subject))
        },
        recover: async () => {},
        async idle(subject) {
          const until = bus.clock.now() + idleTimeoutMs
          while (!(await isIdle(subject, Math.min(until, bus.clock.now() + askAgainMs)))) {
            if (bus.clock.now() >= until) throw new Unavailable('The work goes on. Look again later how it ended.')
          }
        },
        get stopping() {
          return stopping
        },
        async [Symbol.asyncDispose]() {
          stopping = true
        },
      }
    },
  }
}
