/** NUMA topology of a server's guest. Guests have no NUMA nodes of their own yet, so that every list is empty. */
import { operation } from '#kernel/operation.ts'
import { projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { loadServer } from './access.ts'

export const serverTopology = operation({
  id: 'compute.servers.topology',
  method: 'GET',
  path: '/v2.1/servers/{server_id}/topology',
  summary: "Show the NUMA nodes of a server's guest",
  versions: { min: '2.78' },
  policy: rule('compute:server:topology:index', projectReaderOrAdmin),
  load: loadServer,
  response: Type.Object({
    nodes: Type.Array(Type.Unknown()),
    pagesize_kb: Type.Union([Type.Integer(), Type.Null()]),
  }),
  handle: async () => ({ nodes: [], pagesize_kb: null }),
})
