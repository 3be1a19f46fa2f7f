/** Reconcilers: take no input, look, compare, repair; on a timer and on a signal. */
import { type Ctx, type Env, systemCtx } from './context.ts'

export interface Reconciler {
  readonly id: string
  /** Milliseconds between two runs when nobody signals. */
  readonly every: number
  /** Each node that serves the API runs it for itself, not only the one that keeps sagas. */
  readonly everyNode?: boolean
  run(ctx: Ctx): Promise<void>
}

export function reconciler(definition: Reconciler): Reconciler {
  return definition
}

export interface ReconcilerRunner extends AsyncDisposable {
  /** Runs it soon: at once when idle, once more after the present run otherwise. Unknown ids are an error. */
  signal(id: string): void
  /** Runs it now and waits, for tests and commands. Errors are thrown. */
  run(id: string): Promise<void>
}

/** Runs each reconciler on its timer, one run of each at a time; a failure is logged and the next run tries again. */
export function startReconcilers(env: Env, reconcilers: readonly Reconciler[]): ReconcilerRunner {
  const states = new Map(
    reconcilers.map(r => [
      r.id,
      {
        reconciler: r,
        running: undefined as Promise<void> | undefined,
        again: false,
        timer: undefined as Disposable | undefined,
      },
    ]),
  )
  let stopped = false
  type State = NonNullable<ReturnType<typeof states.get>>

  function start(state: State): void {
    if (stopped) return
    if (state.running) {
      state.again = true
      return
    }
    state.timer?.[Symbol.dispose]()
    state.running = state.reconciler
      .run(systemCtx(env))
      .catch(error =>
        env.log.error({ err: error, reconciler: state.reconciler.id }, 'reconciler failed; it will run again'),
      )
      .then(() => {
        state.running = undefined
        if (state.again) {
          state.again = false
          start(state)
        } else schedule(state)
      })
  }
  function schedule(state: State): void {
    if (!stopped) state.timer = env.clock.after(state.reconciler.every, () => start(state))
  }
  function find(id: string): State {
    const state = states.get(id)
    if (!state) throw new Error(`no reconciler is called ${id}`)
    return state
  }
  for (const state of states.values()) schedule(state)

  return {
    signal: id => start(find(id)),
    async run(id) {
      const state = find(id)
      await state.running
      await state.reconciler.run(systemCtx(env))
    },
    async [Symbol.asyncDispose]() {
      stopped = true
      for (const state of states.values()) state.timer?.[Symbol.dispose]()
      await Promise.all([...states.values()].map(state => state.running))
    },
  }
}
