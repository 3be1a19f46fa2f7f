/** Hosts of a simulated cloud: look at them, take them away, bring them back. */
import { Type } from '#kernel/schema/builders.ts'
import { controlOperation } from './control-operation.ts'
import { type GuestsFate, guestsFates } from './controls.ts'

const host = Type.Object({ name: Type.String(), away: Type.Boolean(), guests: Type.Integer() })

const response = Type.Object({ host })

const list = controlOperation({
  id: 'simulated.hosts.list',
  method: 'GET',
  path: '/hosts',
  summary: 'List the hosts, and which of them are away',
  response: Type.Object({ hosts: Type.Array(host) }),
  handle: async controls => ({ hosts: await controls.hosts.list() }),
})

const show = controlOperation({
  id: 'simulated.hosts.show',
  method: 'GET',
  path: '/hosts/{name}',
  summary: 'Show a host, and whether it is away',
  response,
  handle: async (controls, { params }) => ({ host: await controls.hosts.show(params.name) }),
})

const leave = controlOperation({
  id: 'simulated.hosts.leave',
  method: 'POST',
  path: '/hosts/{name}/leave',
  summary: 'Take a host away: its agent neither answers nor reports',
  request: Type.Object(
    { guests: Type.Optional(Type.Unsafe<GuestsFate>({ type: 'string', enum: [...guestsFates] })) },
    { additionalProperties: false },
  ),
  response,
  handle: async (controls, { params, body }) => ({ host: await controls.hosts.leave(params.name, body) }),
})

const back = controlOperation({
  id: 'simulated.hosts.return',
  method: 'POST',
  path: '/hosts/{name}/return',
  summary: 'Bring back a host that is away',
  response,
  handle: async (controls, { params }) => ({ host: await controls.hosts.return(params.name) }),
})

export const hostOperations = [list, show, leave, back]
