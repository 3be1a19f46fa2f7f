/** An action on a server: lookup, lock, state, policy, compare-and-set of the task, event, saga and 202, all in one place. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import { type Operation, type OperationSpec, operation, reply } from '#kernel/operation.ts'
import type { Rule } from '#kernel/policy/rule.ts'
import { anySaga, type Saga, type SagaError, type SagaRun, saga } from '#kernel/saga/saga.ts'
import type { Static, TSchema } from '#kernel/schema/builders.ts'
import { Type } from '#kernel/schema/builders.ts'
import { computeConfig } from '../config.ts'
import { type EventFacts, faultFacts, tell } from '../events.ts'
import { loadServer, requireUnlocked } from './access.ts'
import type { ServerRow, TaskState } from './server.ts'
import { type ActionName, type Allowed, allowed } from './states.ts'
import { faultOfSaga } from './steps.ts'
import { beginTask, findServer, updateServer } from './store.ts'
import { isEvacuated } from './store-moves.ts'

/** Actions end within this time, beside that of their long calls to hosts and of a guest that shuts down, or are undone. */
const actionDeadlineMs = 15 * 60_000

export interface ActionInput<Body> {
  server_id: string
  host: string
  /** Null: the server stays free for others. */
  task: TaskState | null
  body: Body
}

export interface ActionSpec<Body extends TSchema> {
  /** As the table of states, messages and instance actions name it: `pause`. */
  name: ActionName
  /** Key of the request's body. */
  key: string
  summary: string
  policy: Rule
  versions?: NonNullable<Operation['versions']>
  body: Body
  /** In the names of its events: `pause` of `compute.instance.pause.start`, `.end` and `.error`. */
  event: string
  /** What its calls to hosts may take together, when that is more than some minutes. */
  longCallsMs?: number
  /** Does the work and returns what the server is afterwards. */
  run(s: SagaRun, input: ActionInput<Static<Body>>): Promise<Partial<ServerRow>>
}

/** One action: its route, and the saga that the route starts. */
export interface ServerAction {
  operation: Operation
  saga: Saga
}

export function serverAction<Body extends TSchema>(spec: ActionSpec<Body>): ServerAction {
  const { name, key, summary, policy, versions, body } = spec
  const definition = actionSaga(spec)
  return {
    saga: anySaga(definition),
    operation: actionOperation({
      id: `compute.servers.${name}`,
      key,
      summary,
      policy,
      body,
      ...(versions && { versions }),
      async handle(ctx, server, value) {
        await beginAction(ctx, server, { name, event: spec.event, saga: definition, body: value })
        return reply(undefined, { status: 202 })
      },
    }),
  }
}

interface ActionOperation<Body extends TSchema, R extends TSchema> {
  id: string
  key: string
  summary: string
  policy: Rule
  versions?: NonNullable<Operation['versions']>
  body: Body
  response?: R
  handle(
    ctx: Ctx,
    server: ServerRow,
    body: Static<Body>,
  ): ReturnType<OperationSpec<string, TSchema, TSchema, R, ServerRow>['handle']>
}

/** A route under `/action`, for those that are more than a task and a saga. */
export function actionOperation<Body extends TSchema, R extends TSchema = TSchema>(
  spec: ActionOperation<Body, R>,
): Operation {
  const { id, key, summary, policy, versions, body, response, handle } = spec
  return operation({
    id,
    method: 'POST',
    path: '/v2.1/servers/{server_id}/action',
    action: key,
    summary,
    policy,
    ...(versions && { versions }),
    request: Type.Object({ [key]: body }, { additionalProperties: false }),
    ...(response && { response }),
    load: loadServer,
    handle: (ctx, { target, body: sent }) => handle(ctx, target, (sent as Record<string, Static<Body>>)[key]!),
  })
}

/** An action that asks for nothing but itself, and whose saga is begun with what the server is. */
export function begunAction<Input>(spec: {
  id: string
  name: ActionName
  summary: string
  policy: Rule
  saga: Saga<Input>
  /** In a transaction, where the table of states allows it. */
  begin(tx: Ctx, server: ServerRow): Promise<void>
}): ServerAction {
  const { id, name, summary, policy, begin } = spec
  return {
    saga: anySaga(spec.saga),
    operation: actionOperation({
      id,
      key: name,
      summary,
      policy,
      body: Type.Unknown(),
      async handle(ctx, server) {
        requireAllowed(ctx, server, name)
        await ctx.transaction(tx => begin(tx, server))
        return reply(undefined, { status: 202 })
      },
    }),
  }
}

export function actionSaga<Body>(spec: {
  name: string
  event: string
  longCallsMs?: number
  run(s: SagaRun, input: ActionInput<Body>): Promise<Partial<ServerRow>>
  /** What its events tell besides. */
  told?(body: Body): EventFacts
  /** With the last change of the server, in its transaction. */
  settled?(ctx: Ctx, input: ActionInput<Body>): Promise<void>
  /** Puts the server's row back after a failure, unless a delete goes on; its task is cleared anyway. */
  undone?(ctx: Ctx, input: ActionInput<Body>, error: SagaError): Promise<void>
}): Saga<ActionInput<Body>> {
  const { event, told, longCallsMs = 0 } = spec
  return saga<ActionInput<Body>>(
    `compute.servers.${spec.name}`,
    {
      revision: 1,
      deadline: actionDeadlineMs + longCallsMs,
      async failed(ctx, input, error, undo) {
        const { server_id, task } = input
        // What it had to make way for has set its own task.
        const goes = error.cancelled && (await findServer(ctx, server_id))?.task_state !== 'soft-deleting'
        const { undone } = spec
        if (undone && !goes) await undo('begin', () => undone(ctx, input, error))
        // An evacuation has the task from now on, be it called the same.
        if (error.cancelled || (await isEvacuated(ctx, server_id))) return
        const fault = faultOfSaga(ctx, error)
        await updateServer(ctx, server_id, { task_state: null, fault }, { task_state: task })
        await tell(ctx, server_id, `${event}.error`, { ...told?.(input.body), fault: faultFacts(error) })
      },
    },
    async (s, input) => {
      const after = await spec.run(s, input)
      await s.last('settle', async ctx => {
        await updateServer(ctx, input.server_id, { ...after, task_state: null }, { task_state: input.task })
        await spec.settled?.(ctx, input)
        await tell(ctx, input.server_id, `${event}.end`, told?.(input.body))
      })
    },
  )
}

export interface Begin<Body> {
  name: ActionName
  event: string
  saga: Saga<ActionInput<Body>>
  body: Body
  /** What its first event tells besides. */
  told?: EventFacts
  /** Where that is not `<event>.start`. */
  first?: string
}

/** Sets the task and starts the saga in one transaction, or says why not. Returns the saga's id. */
export async function beginAction<Body>(ctx: Ctx, server: ServerRow, begin: Begin<Body>): Promise<string> {
  const host = requireHost(server)
  return ctx.transaction(async tx => {
    await claimTask(tx, server, begin.name)
    const { task } = allowed[begin.name]
    const now = { ...server, task_state: task ?? server.task_state }
    await tell(tx, now, begin.first ?? `${begin.event}.start`, begin.told)
    const input = { server_id: server.id, host, task, body: begin.body }
    const deadline = begin.saga.deadline + tx.config.of(computeConfig).stop_grace_seconds * 1000
    return tx.sagas.start(tx, { ...begin.saga, deadline }, input, server.id)
  })
}

/** Sets an action's task, in the caller's transaction; throws the 409 of a server that is locked, in another state, or busy. */
export async function claimTask(ctx: Ctx, server: ServerRow, name: ActionName): Promise<void> {
  requireAllowed(ctx, server, name)
  const { from, task } = allowed[name]
  if (!(await beginTask(ctx, server, task, from))) {
    const now = (await findServer(ctx, server.id)) ?? server
    requireAllowed(ctx, now, name)
    throw stateConflict(server.id, name, 'task_state', String(now.task_state))
  }
  if (server.task_state !== null) await ctx.sagas.cancel(ctx, server.id)
}

/** Throws the 409 of a server that is locked, in another state, or busy. */
export function requireAllowed(ctx: Ctx, server: ServerRow, name: ActionName): void {
  const rule = allowed[name]
  if (!rule.evenLocked) requireUnlocked(ctx, server)
  if (!rule.from.includes(server.vm_state)) throw stateConflict(server.id, name, 'vm_state', server.vm_state)
  if (server.task_state !== null && !givesWay(ctx, server, server.task_state, rule)) {
    throw stateConflict(server.id, name, 'task_state', server.task_state)
  }
}

function givesWay(ctx: Ctx, server: ServerRow, task: TaskState, { over = [], overStuck }: Allowed): boolean {
  if (over.includes(task)) return true
  if (!overStuck?.tasks.includes(task)) return false
  const seconds = ctx.config.of(computeConfig).stuck_seconds[overStuck.after]
  return ctx.clock.now() - Date.parse(server.updated_at) > seconds * 1000
}

export function requireHost(server: ServerRow): string {
  if (server.host === null) throw new Conflict(`Instance ${server.id} is not ready`)
  return server.host
}

export function stateConflict(id: string, action: string, attribute: string, state: string): Conflict {
  const called = allowed[action as ActionName]?.called ?? action
  return new Conflict(`Cannot '${called}' instance ${id} while it is in ${attribute} ${state}`)
}

/** Records an action that has no work to be done after the answer. */
export function recordAction(ctx: Ctx, name: string, serverId: string): Promise<void> {
  return ctx.sagas.note(ctx, `compute.servers.${name}`, serverId)
}
