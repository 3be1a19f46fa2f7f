/** An action on a server: lookup, lock, state, policy, compare-and-set of the task, event, saga and 202, all in one place. */

import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import { type Operation, type OperationSpec, operation, reply } from '#kernel/operation.ts'
import type { Rule } from '#kernel/policy/rule.ts'
import { anySaga, type Saga, type SagaRun, saga } from '#kernel/saga/saga.ts'
import type { Static, TSchema } from '#kernel/schema/builders.ts'
import { Type } from '#kernel/schema/builders.ts'
import { loadServer, requireUnlocked } from './access.ts'
import type { ServerRow, TaskState, VmState } from './server.ts'
import { beginTask, findServer, updateServer } from './store.ts'

/** Actions end within this time or are undone. */
const actionDeadlineMs = 15 * 60_000

export interface ActionInput<Body> {
  server_id: string
  host: string
  /** Null: the server stays free for others. */
  task: TaskState | null
  body: Body
}

export interface ActionSpec<Body extends TSchema> {
  /** As messages and instance actions name it: `pause`. */
  name: string
  /** Key of the request's body. */
  key: string
  summary: string
  policy: Rule
  versions?: NonNullable<Operation['versions']>
  body: Body
  /** States in which it is allowed; anything else is a 409. */
  from: readonly VmState[]
  /** Null: the server stays free for others meanwhile. */
  taskState: TaskState | null
  /** In the names of events: `compute.instance.pause.start` and `.end`. */
  event: string
  /** Does the work and returns what the server is afterwards. */
  run(s: SagaRun, input: ActionInput<Static<Body>>): Promise<Partial<ServerRow>>
}

/** One action: its route, and the saga that the route starts. */
export interface ServerAction {
  operation: Operation
  saga: Saga
}

export function serverAction<Body extends TSchema>(spec: ActionSpec<Body>): ServerAction {
  const { name, key, summary, policy, versions, body, from, taskState } = spec
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
        await beginAction(ctx, server, {
          name,
          from,
          task: taskState,
          event: spec.event,
          saga: definition,
          body: value,
        })
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

export function actionSaga<Body>(spec: {
  name: string
  event: string
  run(s: SagaRun, input: ActionInput<Body>): Promise<Partial<ServerRow>>
}): Saga<ActionInput<Body>> {
  const event = `compute.instance.${spec.event}`
  return saga<ActionInput<Body>>(
    `compute.servers.${spec.name}`,
    {
      revision: 1,
      deadline: actionDeadlineMs,
      async failed(ctx, { server_id, task }, error) {
        // What it had to make way for has set its own task.
        if (error.cancelled) return
        await updateServer(ctx, server_id, { task_state: null }, { task_state: task })
        await ctx.events.emit(ctx, `${event}.error`, server_id, { message: error.message })
      },
    },
    async (s, input) => {
      const after = await spec.run(s, input)
      await s.record('settle', async ctx => {
        await updateServer(ctx, input.server_id, { ...after, task_state: null }, { task_state: input.task })
        await ctx.events.emit(ctx, `${event}.end`, input.server_id, {})
      })
    },
  )
}

export interface Begin<Body> {
  name: string
  from: readonly VmState[]
  task: TaskState | null
  event: string
  saga: Saga<ActionInput<Body>>
  body: Body
  /** Tasks that this one may take the place of. */
  over?: readonly TaskState[]
  /** For actions that a lock does not stop. */
  evenLocked?: boolean
}

/** Sets the task and starts the saga in one transaction, or says why not. */
export async function beginAction<Body>(ctx: Ctx, server: ServerRow, begin: Begin<Body>): Promise<void> {
  if (!begin.evenLocked) requireUnlocked(ctx, server)
  requireState(server, begin.name, begin.from, begin.over)
  const host = requireHost(server)
  await ctx.transaction(async tx => {
    if (!(await beginTask(tx, server, begin.task, begin.from))) {
      const now = (await findServer(tx, server.id)) ?? server
      requireState(now, begin.name, begin.from)
      throw stateConflict(server.id, begin.name, 'task_state', String(now.task_state))
    }
    if (server.task_state !== null) await tx.sagas.cancel(tx, server.id)
    await tx.events.emit(tx, `compute.instance.${begin.event}.start`, server.id, {})
    const input = { server_id: server.id, host, task: begin.task, body: begin.body }
    await tx.sagas.start(tx, begin.saga, input, server.id)
  })
}

/** Throws the 409 of a server that is in another state, or busy. */
export function requireState(
  server: ServerRow,
  action: string,
  from: readonly VmState[],
  over: readonly TaskState[] = [],
): void {
  if (!from.includes(server.vm_state)) throw stateConflict(server.id, action, 'vm_state', server.vm_state)
  if (server.task_state !== null && !over.includes(server.task_state)) {
    throw stateConflict(server.id, action, 'task_state', server.task_state)
  }
}

export function requireHost(server: ServerRow): string {
  if (server.host === null) throw new Conflict(`Instance ${server.id} is not ready`)
  return server.host
}

export function stateConflict(id: string, action: string, attribute: string, state: string): Conflict {
  return new Conflict(`Cannot '${action}' instance ${id} while it is in ${attribute} ${state}`)
}

/** Records an action that has no work to be done after the answer. */
export function recordAction(ctx: Ctx, name: string, serverId: string): Promise<void> {
  return ctx.sagas.note(ctx, `compute.servers.${name}`, serverId)
}
