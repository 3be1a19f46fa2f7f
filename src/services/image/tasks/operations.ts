/** Tasks: list, show, begin one in the old way, and those of an image. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { seesAll, visibleImage } from '../images/image.ts'
import { beginOldImport } from '../old-import.ts'
import { last, limitOf, linksOf, orderOf, pageSize, type Query } from '../paging.ts'
import { getImage, tasksApi } from '../rules.ts'
import { type TaskRow, tasks } from './store.ts'
import { newTask, taskStatuses, viewTask, viewTaskStub } from './task.ts'

const stub = Type.Object({ id: Type.String(), type: Type.String(), status: Type.String() })
const sortable = ['created_at', 'id', 'updated_at', 'status', 'type', 'expires_at'] as const

/** Those of the caller's project; administrators see all. */
const mine = (ctx: Ctx) => (seesAll(ctx) ? {} : { owner: ctx.identity.project_id ?? '' })

function choice(query: Query, name: 'status' | 'type', known: string[]): string | undefined {
  const value = last(query[name])
  if (value !== undefined && !known.includes(value)) throw new BadRequest(`Invalid ${name} value: ${value}`)
  return value
}

async function taskOf(ctx: Ctx, id: string): Promise<TaskRow> {
  const row = await tasks.find(ctx.db, { id, ...mine(ctx) })
  if (!row) throw new NotFound(`No task found with ID ${id}`)
  return row
}

export const listTasks = operation({
  id: 'image.tasks.list',
  method: 'GET',
  path: '/v2/tasks',
  summary: 'List tasks',
  policy: tasksApi,
  response: Type.Object({
    tasks: Type.Array(stub),
    first: Type.String(),
    next: Type.Optional(Type.String()),
    schema: Type.String(),
  }),
  async handle(ctx, request) {
    const query = request.query as Query
    const limit = limitOf(query) ?? pageSize
    const marker = last(query.marker)
    const found = await tasks.list(
      ctx.db,
      {
        ...mine(ctx),
        status: choice(query, 'status', taskStatuses),
        type: choice(query, 'type', ['import']),
      },
      {
        orderBy: orderOf(query, sortable),
        limit,
        ...(marker && { after: await taskOf(ctx, marker) }),
      },
    )
    const ids = found.map(row => row.id)
    return {
      tasks: found.map(viewTaskStub),
      ...linksOf('/v2/tasks', query, limit, ids),
      schema: '/v2/schemas/tasks',
    }
  },
})

export const showTask = operation({
  id: 'image.tasks.show',
  method: 'GET',
  path: '/v2/tasks/{task_id}',
  summary: 'Show a task',
  policy: tasksApi,
  response: stub,
  handle: async (ctx, { params }) => viewTask(await taskOf(ctx, params.task_id)),
})

export const createTask = operation({
  id: 'image.tasks.create',
  method: 'POST',
  path: '/v2/tasks',
  summary: 'Begin a task: make an image of what is at an address',
  policy: tasksApi,
  takes: Type.Object({ type: Type.Literal('import'), input: Type.Record(Type.String(), Type.Unknown()) }),
  response: stub,
  async handle(ctx, { body }) {
    const { type, input } = checked(body)
    const row = await ctx.transaction(async tx => {
      const made = await newTask(tx, { type, image_id: null, input })
      await beginOldImport(tx, made.id, input)
      return made
    })
    return reply(viewTask(row), { status: 201, headers: { location: `${ctx.base}/image/v2/tasks/${row.id}` } })
  },
})

function checked(body: unknown): { type: 'import'; input: Record<string, unknown> } {
  if (typeof body !== 'object' || body === null) throw new BadRequest('Body expected in request.')
  const { type, input } = body as Record<string, unknown>
  if (type === undefined) throw new BadRequest("Task 'type' is required")
  if (input === undefined) throw new BadRequest("Task 'input' is required")
  if (type !== 'import') throw new BadRequest(`Provided type of task is unsupported: ${String(type)}`)
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new BadRequest("Provided object does not match schema 'task': the input must be an object")
  return { type, input: input as Record<string, unknown> }
}

export const listImageTasks = operation({
  id: 'image.images.tasks',
  method: 'GET',
  path: '/v2/images/{image_id}/tasks',
  summary: 'List what goes on with an image in the background',
  policy: getImage,
  response: Type.Object({ tasks: Type.Array(stub) }),
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { target }) {
    const found = await tasks.list(
      ctx.db,
      { image_id: target.id, ...mine(ctx) },
      { orderBy: [{ column: 'created_at', direction: 'asc' }] },
    )
    return { tasks: found.map(viewTask) }
  },
})
