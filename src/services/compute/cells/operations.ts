/** The cells of the cloud: where servers live, and where those are that could not be placed. Not upstream's: there it is a command beside the API. */
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { cell0, cell1, serversIn } from '../servers/store-cells.ts'

const cell = Type.Object({
  name: Type.Union([Type.String(), Type.Null()], { description: 'Null: those that are not placed yet.' }),
  servers: Type.Integer({ description: 'How many are mapped to it.' }),
})

const list = operation({
  id: 'compute.cell_mappings.list',
  method: 'GET',
  path: '/v2.1/os-cell-mappings',
  summary: 'List the cells, and how many servers are in each',
  policy: rule('os_compute_api:os-cell-mappings:list', admin),
  response: Type.Object({ cell_mappings: Type.Array(cell) }),
  async handle(ctx) {
    const cells = [cell0, cell1, null].map(async name => ({ name, servers: await serversIn(ctx, name) }))
    return { cell_mappings: await Promise.all(cells) }
  },
})

export const cellOperations: Operation[] = [list]
