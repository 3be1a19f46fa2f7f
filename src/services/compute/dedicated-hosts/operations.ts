/** Whole hosts for one project: its servers alone are placed there, and it pays for all of the host. Not upstream's. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import type { HostRow } from '../hosts/host.ts'
import { hosts } from '../hosts/store.ts'
import { listServers } from '../servers/store.ts'
import { dedicatedHosts, endDedication } from './store.ts'

const ruleOf = (verb: string) => rule(`os_compute_api:os-dedicated-hosts:${verb}`, admin)
const shown = Type.Object({ host: Type.String(), project_id: Type.String(), started_at: Type.String() })

const list = operation({
  id: 'compute.dedicated_hosts.list',
  method: 'GET',
  path: '/v2.1/os-dedicated-hosts',
  summary: 'List hosts that projects have for themselves',
  policy: ruleOf('list'),
  response: Type.Object({ dedicated_hosts: Type.Array(shown) }),
  async handle(ctx) {
    const order = { orderBy: [{ column: 'host' as const, direction: 'asc' as const }] }
    const all = await dedicatedHosts.list(ctx.db, { ended_at: null }, order)
    return {
      dedicated_hosts: all.map(({ host, project_id, started_at }) => ({ host, project_id, started_at })),
    }
  },
})

const put = operation({
  id: 'compute.dedicated_hosts.put',
  method: 'PUT',
  path: '/v2.1/os-dedicated-hosts/{host}',
  summary: 'Give a project a host for itself',
  policy: ruleOf('put'),
  request: Type.Object(
    { project_id: Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9_-]+$' }) },
    { additionalProperties: false },
  ),
  status: 204,
  async handle(ctx, { params: { host: name }, body: { project_id } }) {
    await ctx.transaction(async tx => {
      const host = await heldHost(tx, name)
      if (host.dedicated_to === project_id) return
      if (host.dedicated_to !== null)
        throw new Conflict(`Host ${name} is project ${host.dedicated_to}'s: take it back with DELETE first.`)
      const others = (await listServers(tx, { host: name })).filter(server => server.project_id !== project_id)
      if (others.length > 0)
        throw new Conflict(`Host ${name} has ${others.length} servers of other projects: migrate them first.`)
      await hosts.update(tx.db, { id: host.id }, { dedicated_to: project_id })
      const { vcpus, memory_mb, disk_gb } = host.facts
      const started_at = new Date(tx.clock.now()).toISOString()
      const amounts = { vcpus, memory_mb, local_gb: disk_gb }
      await dedicatedHosts.insert(tx.db, {
        ...{ id: tx.ids.uuid(), host: name, project_id, started_at, ended_at: null },
        ...amounts,
      })
    })
  },
})

const remove = operation({
  id: 'compute.dedicated_hosts.delete',
  method: 'DELETE',
  path: '/v2.1/os-dedicated-hosts/{host}',
  summary: 'Open a host to all projects again',
  policy: ruleOf('delete'),
  status: 204,
  async handle(ctx, { params: { host: name } }) {
    await ctx.transaction(async tx => {
      await heldHost(tx, name)
      if (!(await endDedication(tx, name))) throw new NotFound(`No project has host ${name} for itself.`)
    })
  },
})

/**
 * The host, for this transaction alone to give or take back: others who claim room there or give it away have been waited for, or wait
 * and look again at whose it is.
 */
async function heldHost(ctx: Ctx, name: string): Promise<HostRow> {
  const host = await hosts.find(ctx.db, { name })
  if (!host) throw new NotFound(`Compute host ${name} could not be found.`)
  await ctx.services.placement.holdProvider(ctx, host.provider_uuid)
  return (await hosts.find(ctx.db, { id: host.id })) ?? host
}

export const dedicatedHostOperations: Operation[] = [list, put, remove]
