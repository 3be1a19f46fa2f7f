/** The log of calls: which requests came, and what was answered. */
import { Type } from '#kernel/schema/builders.ts'
import { controlOperation } from './control-operation.ts'

const nullable = Type.Union([Type.String(), Type.Null()])

const call = Type.Object({
  number: Type.Integer(),
  at: Type.String(),
  method: Type.String(),
  url: Type.String(),
  operation: nullable,
  project_id: nullable,
  user_id: nullable,
  request_id: nullable,
  status: Type.Union([Type.Integer(), Type.Null()]),
  milliseconds: Type.Number(),
  faults: Type.Array(Type.String()),
})

const list = controlOperation({
  id: 'simulated.calls.list',
  method: 'GET',
  path: '/calls',
  summary: 'List the requests that came, oldest first',
  query: Type.Object(
    {
      operation: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
      method: Type.Optional(Type.String({ minLength: 1, maxLength: 16 })),
      project_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
      status: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
      after: Type.Optional(Type.Integer({ minimum: 0 })),
    },
    { additionalProperties: false },
  ),
  response: Type.Object({ calls: Type.Array(call) }),
  handle: async (controls, { query }) => ({ calls: await controls.calls.list(query) }),
})

const clear = controlOperation({
  id: 'simulated.calls.clear',
  method: 'DELETE',
  path: '/calls',
  summary: 'Forget the requests that came',
  async handle(controls) {
    await controls.calls.clear()
    return undefined
  },
})

export const callOperations = [list, clear]
