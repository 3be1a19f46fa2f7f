/** A task: how work on an image in the background goes on. Its steps are a saga; this is what users see of it. */
import type { Ctx } from '#kernel/context.ts'
import { imageConfig } from '../config.ts'
import { shownTime } from '../images/image.ts'
import { type TaskRow, tasks } from './store.ts'

export type { TaskRow } from './store.ts'

export const taskStatuses = ['pending', 'processing', 'success', 'failure']
export const taskTypes = ['import', 'api_image_import', 'location_import']

export async function newTask(
  ctx: Ctx,
  { type, image_id, input }: Pick<TaskRow, 'type' | 'image_id' | 'input'>,
): Promise<TaskRow> {
  const now = new Date(ctx.clock.now()).toISOString()
  const row: TaskRow = {
    ...{ id: ctx.ids.uuid(), type, status: 'pending', image_id, input, result: null, message: '' },
    ...{ owner: ctx.identity.project_id ?? null, user_id: ctx.identity.user_id || null, request_id: ctx.requestId },
    ...{ expires_at: null, created_at: now, updated_at: now },
  }
  await tasks.insert(ctx.db, row)
  return row
}

export async function taskGoesOn(ctx: Ctx, id: string): Promise<void> {
  await tasks.update(ctx.db, { id }, { status: 'processing', updated_at: new Date(ctx.clock.now()).toISOString() })
}

/** Writes how it ended. It is shown for a while longer. */
export async function endTask(
  ctx: Ctx,
  id: string,
  ended: Partial<Pick<TaskRow, 'result' | 'message' | 'image_id'>> & { status: 'success' | 'failure' },
): Promise<void> {
  const now = ctx.clock.now()
  const kept = ctx.config.of(imageConfig).task_hours * 3_600_000
  await tasks.update(
    ctx.db,
    { id },
    { ...ended, expires_at: new Date(now + kept).toISOString(), updated_at: new Date(now).toISOString() },
  )
}

/** A task as a list shows it. */
export function viewTaskStub(row: TaskRow) {
  return {
    id: row.id,
    type: row.type,
    status: row.status,
    owner: row.owner,
    created_at: shownTime(row.created_at),
    updated_at: shownTime(row.updated_at),
    ...(row.expires_at !== null && { expires_at: shownTime(row.expires_at) }),
    self: `/v2/tasks/${row.id}`,
    schema: '/v2/schemas/task',
  }
}

export function viewTask(row: TaskRow) {
  return {
    ...viewTaskStub(row),
    input: row.input,
    message: row.message,
    result: row.result,
    ...(row.image_id !== null && { image_id: row.image_id }),
    request_id: row.request_id,
    ...(row.user_id !== null && { user_id: row.user_id }),
  }
}
