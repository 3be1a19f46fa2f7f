/** The schemas of tasks, as clients ask for them. */
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { listDocument } from '../paging.ts'
import { taskStatuses, taskTypes } from './task.ts'

const text = (description: string, more = {}) => ({ type: 'string', description, ...more })

const stub = {
  id: text('Identifier of the task.', {
    pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$',
  }),
  type: text('Kind of work.', { enum: taskTypes }),
  status: text('How far it is.', { enum: taskStatuses }),
  owner: text('Project that asked for it.'),
  image_id: text('Image that it is about.'),
  request_id: text('Request that it came with.'),
  user_id: text('User who asked for it.'),
  expires_at: { type: ['null', 'string'], description: 'When it is forgotten.' },
  created_at: text('When it was asked for.'),
  updated_at: text('When it last changed.'),
  self: { type: 'string', readOnly: true },
  schema: { type: 'string', readOnly: true },
}

const whole = {
  ...stub,
  input: { type: ['null', 'object'], description: 'What was asked for.' },
  result: { type: ['null', 'object'], description: 'What came of it.' },
  message: text('Why it failed.'),
}

const response = Type.Object({ name: Type.String(), properties: Type.Unknown() })

export const showTaskSchema = operation({
  id: 'image.schemas.task',
  method: 'GET',
  path: '/v2/schemas/task',
  summary: 'Show the schema of a task',
  policy: 'authenticated',
  response,
  handle: async () => ({ name: 'task', properties: whole, additionalProperties: false }) as never,
})

export const showTasksSchema = operation({
  id: 'image.schemas.tasks',
  method: 'GET',
  path: '/v2/schemas/tasks',
  summary: 'Show the schema of a list of tasks',
  policy: 'authenticated',
  response,
  handle: async () =>
    listDocument('tasks', {
      type: 'array',
      items: { name: 'task', properties: stub, additionalProperties: false },
    }) as never,
})
