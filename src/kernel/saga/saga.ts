/** A saga: long work as a plain async function of named steps, each journaled with its output, each with an undo. */
import type { Ctx } from '../context.ts'

/** What a saga's function gets. Code between steps may depend only on the input and on step outputs: after a crash it runs again. */
export interface SagaRun {
  readonly id: string
  /** The context of the request that started the saga; not in a transaction. */
  readonly ctx: Ctx
  /** Aborted when the deadline has passed, when the saga is cancelled, and when the process stops. */
  readonly signal: AbortSignal
  /**
   * One outside effect. Done once as far as anyone can see: its output is journaled, at the latest before the next begins, and after a crash a
   * step that was not journaled runs again, so `act` must be safe to run twice. `undo` runs when a later step fails, and when this one did (then without an output).
   */
  step<T>(
    name: string,
    act: (signal: AbortSignal) => Promise<T>,
    undo?: (output: T | undefined) => Promise<void>,
  ): Promise<T>
  /** A step that only writes to the database: it commits together with its journal row, so exactly once. */
  record<T>(name: string, act: (ctx: Ctx) => Promise<T>, undo?: (ctx: Ctx, output: T) => Promise<void>): Promise<T>
  /** A record after which nothing follows: with it the saga is done, in the same transaction. */
  last(name: string, act: (ctx: Ctx) => Promise<void>): Promise<void>
}

export interface SagaOptions<Input> {
  /** Grows when the list of steps changes; sagas in flight end with the revision that they began with. */
  revision: number
  /** Milliseconds from start until it is given up and undone. */
  deadline: number
  /** Runs in the transaction that ends a saga which was undone: puts the subject in its error state, and gives back what it began with. */
  failed?: (ctx: Ctx, input: Input, error: SagaError, undo: UndoClaim) => Promise<void>
}

/**
 * Gives back something that was claimed in the transaction that began the saga. The journal has it as a first step, and as undone, so that
 * who reads it sees what was claimed and that it is free; nothing is written when `act` says that there was none (0).
 */
export type UndoClaim = (name: string, act: () => Promise<unknown>) => Promise<void>

/** Why a saga failed, as journaled. */
export interface SagaError {
  name: string
  message: string
  /** The step that failed. */
  step: string | undefined
  /** For operators: never shown to a user. */
  details: string
  /** True when it was ended to make way (a delete). */
  cancelled: boolean
}

export interface Saga<Input = unknown> extends SagaOptions<Input> {
  readonly id: string
  readonly run: (s: SagaRun, input: Input) => Promise<void>
}

export function saga<Input>(
  id: string,
  options: SagaOptions<Input>,
  run: (s: SagaRun, input: Input) => Promise<void>,
): Saga<Input> {
  return { id, run, ...options }
}

/** A saga with its input type erased, for lists. */
export function anySaga<Input>(definition: Saga<Input>): Saga {
  return definition as unknown as Saga
}

/** Thrown inside a saga that was told to make way. */
export class SagaCancelled extends Error {
  override readonly name = 'SagaCancelled'
}

/** Thrown inside a saga whose deadline has passed. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded'
}
