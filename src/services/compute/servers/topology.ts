/** NUMA topology of a server's guest: its cells, and for admins where they lie. */
import type { Ctx } from '#kernel/context.ts'
import { operation } from '#kernel/operation.ts'
import { admin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { roomOf } from '../rooms/store.ts'
import { loadServer } from './access.ts'
import { machineWishes } from './machine.ts'
import type { ServerRow } from './server.ts'

export const topologyHost = rule('compute:server:topology:host:index', admin)

const node = Type.Object({
  memory_mb: Type.Integer(),
  siblings: Type.Array(Type.Array(Type.Integer())),
  vcpu_set: Type.Array(Type.Integer()),
  host_node: Type.Optional(Type.Integer()),
  cpu_pinning: Type.Optional(Type.Record(Type.String(), Type.Integer())),
})

export const serverTopology = operation({
  id: 'compute.servers.topology',
  method: 'GET',
  path: '/v2.1/servers/{server_id}/topology',
  summary: "Show the NUMA nodes of a server's guest",
  versions: { min: '2.78' },
  policy: rule('compute:server:topology:index', projectReaderOrAdmin),
  load: loadServer,
  response: Type.Object({
    nodes: Type.Array(node),
    pagesize_kb: Type.Union([Type.Integer(), Type.Null()]),
  }),
  handle: (ctx, { target }) => topologyOf(ctx, target, ctx.can(topologyHost, { project_id: target.project_id })),
})

async function topologyOf(ctx: Ctx, server: ServerRow, withHost: boolean) {
  const { topology } = machineWishes(ctx, server.flavor, server.image)
  const { cells: lying, cpus } = topology ? await roomOf(ctx, server.id) : { cells: [], cpus: [] }
  const nodes = (topology?.cells ?? []).map(({ id, vcpus, memory_mb }) => {
    const row = lying.find(each => each.cell === id)
    const pins = cpus.filter(({ cell, vcpu }) => cell === id && vcpu !== null)
    const cpu_pinning = Object.fromEntries(pins.map(({ vcpu, cpu }) => [String(vcpu), cpu]))
    return {
      memory_mb,
      siblings: siblingsOf(vcpus, row?.threads ?? 1),
      vcpu_set: vcpus,
      ...(withHost && row && { host_node: row.host_cell, ...(pins.length > 0 && { cpu_pinning }) }),
    }
  })
  return { nodes, pagesize_kb: lying.find(row => row.page_kb !== null)?.page_kb ?? null }
}

/** Nothing where each vCPU is a core of its own. */
function siblingsOf(vcpus: readonly number[], threads: number): number[][] {
  if (threads < 2) return []
  return Array.from({ length: Math.floor(vcpus.length / threads) }, (_, core) =>
    vcpus.slice(core * threads, (core + 1) * threads),
  )
}
