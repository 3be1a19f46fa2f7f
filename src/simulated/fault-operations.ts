/** Faults on demand: asked for, looked at, removed. */
import { type Static, Type } from '#kernel/schema/builders.ts'
import { controlOperation } from './control-operation.ts'
import type { NewFault } from './controls.ts'

const text = Type.String({ minLength: 1, maxLength: 255 })

const place = {
  operation: Type.Optional(text),
  method: Type.Optional(Type.Unsafe<string>({ type: 'string', pattern: '^[A-Za-z]{1,16}$' })),
  path: Type.Optional(Type.String({ minLength: 1, maxLength: 2000 })),
  work: Type.Optional(text),
  step: Type.Optional(text),
  project: Type.Optional(text),
  resource: Type.Optional(text),
  call: Type.Optional(Type.Integer({ minimum: 1 })),
  times: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Literal('every')])),
}

const kinds = ['answer', 'over-quota', 'delay', 'drop', 'no-valid-host', 'no-scheduler', 'stuck', 'error'] as const

const effect = {
  kind: Type.Unsafe<(typeof kinds)[number]>({ type: 'string', enum: [...kinds] }),
  status: Type.Optional(Type.Integer({ minimum: 200, maximum: 599 })),
  message: Type.Optional(Type.String({ maxLength: 2000 })),
  headers: Type.Optional(
    Type.Record(
      Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$" }),
      Type.String({ pattern: '^[\\x20-\\x7e]{0,2000}$' }),
      {
        additionalProperties: false,
      },
    ),
  ),
  body: Type.Optional(Type.Unknown()),
  seconds: Type.Optional(Type.Number({ minimum: 0, maximum: 31 * 86_400 })),
  after: Type.Optional(Type.Boolean()),
}

const newFault = Type.Object({ ...place, ...effect }, { additionalProperties: false })

const fault = Type.Object({
  ...{ id: Type.String(), ...place, ...effect },
  seen: Type.Integer(),
  hits: Type.Integer(),
})

const add = controlOperation({
  id: 'simulated.faults.add',
  method: 'POST',
  path: '/faults',
  summary: 'Ask for a fault',
  request: Type.Object({ fault: newFault }, { additionalProperties: false }),
  response: Type.Object({ fault }),
  status: 201,
  // The kind says which of the members are needed, which the controls check: the message is better than a schema's.
  handle: async (controls, { body }) => ({ fault: shown(await controls.faults.add(body.fault as NewFault)) }),
})

const list = controlOperation({
  id: 'simulated.faults.list',
  method: 'GET',
  path: '/faults',
  summary: 'List faults and how often they hit',
  response: Type.Object({ faults: Type.Array(fault) }),
  handle: async controls => ({ faults: (await controls.faults.list()).map(shown) }),
})

const show = controlOperation({
  id: 'simulated.faults.show',
  method: 'GET',
  path: '/faults/{fault_id}',
  summary: 'Show a fault and how often it hit',
  response: Type.Object({ fault }),
  handle: async (controls, { params }) => ({ fault: shown(await controls.faults.show(params.fault_id)) }),
})

const remove = controlOperation({
  id: 'simulated.faults.remove',
  method: 'DELETE',
  path: '/faults/{fault_id}',
  summary: 'Remove a fault; what was stuck by it goes on',
  async handle(controls, { params }) {
    await controls.faults.remove(params.fault_id)
    return undefined
  },
})

const clear = controlOperation({
  id: 'simulated.faults.clear',
  method: 'DELETE',
  path: '/faults',
  summary: 'Remove all faults',
  async handle(controls) {
    await controls.faults.clear()
    return undefined
  },
})

const shown = (one: object) => one as Static<typeof fault>

export const faultOperations = [add, list, show, remove, clear]
