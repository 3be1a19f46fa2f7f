/** Bare-metal nodes in compute's API, up to 2.35. The cloud has no bare-metal service, hence no nodes; they were never changed here. */
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { body } from '../dialect.ts'

const versions = { max: '2.35' } as const
const path = '/v2.1/os-baremetal-nodes'
const node = Type.Record(Type.String(), Type.Unknown())

/** What is done with a command of the bare-metal service's own, never here. */
const elsewhere = [
  ['create', 'POST', path, undefined, 'node-create'],
  ['delete', 'DELETE', `${path}/{node_id}`, undefined, 'node-delete'],
  ['add_interface', 'POST', `${path}/{node_id}/action`, 'add_interface', 'port-create'],
  ['remove_interface', 'POST', `${path}/{node_id}/action`, 'remove_interface', 'port-delete'],
] as const

export const baremetalOperations: Operation[] = [
  operation({
    id: 'compute.baremetal_nodes.list',
    method: 'GET',
    path,
    summary: 'List bare-metal nodes',
    versions,
    policy: rule('os_compute_api:os-baremetal-nodes:list', admin),
    response: body('nodes', Type.Array(node)),
    handle: async () => ({ nodes: [] }),
  }),
  operation({
    id: 'compute.baremetal_nodes.show',
    method: 'GET',
    path: `${path}/{node_id}`,
    summary: 'Show a bare-metal node',
    status: 404,
    versions,
    policy: rule('os_compute_api:os-baremetal-nodes:show', admin),
    async handle(_ctx, { params }) {
      throw new NotFound(`Node ${params.node_id} could not be found.`)
    },
  }),
  ...elsewhere.map(([verb, method, where, action, command]) =>
    operation({
      id: `compute.baremetal_nodes.${verb}`,
      method,
      path: where,
      ...(action && { action }),
      summary: `Bare-metal nodes: ${verb.replace('_', ' ')} (not offered)`,
      status: 400,
      versions,
      policy: 'authenticated',
      async handle() {
        throw new BadRequest(`Command not supported. Please use Ironic command ${command} to perform this action.`)
      },
    }),
  ),
]
