/** Hosts as they were shown until 2.42 (os-hosts). What upstream's QEMU driver does not do with a machine, ours does not either. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound, NotImplemented } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { zoneOf } from '../aggregates/aggregate.ts'
import { allAggregates } from '../aggregates/store.ts'
import { computeConfig } from '../config.ts'
import { listServers } from '../servers/store.ts'
import type { HostRow } from './host.ts'
import { hosts, inOrder } from './store.ts'
import { usageOfHost } from './usage.ts'

const versions = { max: '2.42' } as const
const policy = (verb: string) => rule(`os_compute_api:os-hosts:${verb}`, admin)

async function hostOf(ctx: Ctx, name: string): Promise<HostRow> {
  const row = await hosts.find(ctx.db, { name })
  if (!row) throw new NotFound(`Compute host ${name} could not be found.`)
  return row
}

const list = operation({
  id: 'compute.hosts.list',
  method: 'GET',
  path: '/v2.1/os-hosts',
  summary: 'List hosts with their zones',
  versions,
  policy: policy('list'),
  query: Type.Object({ zone: Type.Optional(Type.String()), service: Type.Optional(Type.String()) }),
  response: Type.Object({
    hosts: Type.Array(Type.Object({ host_name: Type.String(), service: Type.String(), zone: Type.String() })),
  }),
  async handle(ctx, { query }) {
    const aggregates = await allAggregates(ctx.db)
    const fallback = ctx.config.of(computeConfig).default_availability_zone
    const all = (await hosts.list(ctx.db, {}, inOrder)).map(({ name }) => ({
      host_name: name,
      service: 'compute',
      zone: zoneOf(name, aggregates, fallback),
    }))
    return {
      hosts: all.filter(({ zone, service }) => zone === (query.zone || zone) && service === (query.service || service)),
    }
  },
})

interface Share {
  cpu: number
  memory_mb: number
  disk_gb: number
}

const show = operation({
  id: 'compute.hosts.show',
  method: 'GET',
  path: '/v2.1/os-hosts/{host_name}',
  summary: 'Show what a host has and which projects use it',
  versions,
  policy: policy('show'),
  response: Type.Object({ host: Type.Array(Type.Object({ resource: Type.Unknown() })) }),
  async handle(ctx, { params }) {
    const row = await hostOf(ctx, params.host_name)
    const { vcpus, memory_mb, local_gb, ...used } = await usageOfHost(ctx, row)
    const byProject = new Map<string, Share>()
    for (const { project_id, flavor } of await listServers(ctx, { host: row.name })) {
      const share = byProject.get(project_id) ?? { cpu: 0, memory_mb: 0, disk_gb: 0 }
      share.cpu += flavor.vcpus
      share.memory_mb += flavor.ram
      share.disk_gb += flavor.disk + flavor.ephemeral
      byProject.set(project_id, share)
    }
    const sum = (of: (share: Share) => number) => [...byProject.values()].reduce((total, share) => total + of(share), 0)
    const line = (project: string, share: Share) => ({ resource: { host: row.name, project, ...share } })
    return {
      host: [
        line('(total)', { cpu: vcpus, memory_mb, disk_gb: local_gb }),
        line('(used_now)', { cpu: used.vcpus_used, memory_mb: used.memory_mb_used, disk_gb: used.local_gb_used }),
        line('(used_max)', { cpu: sum(s => s.cpu), memory_mb: sum(s => s.memory_mb), disk_gb: sum(s => s.disk_gb) }),
        ...[...byProject].map(([project, share]) => line(project, share)),
      ],
    }
  },
})

const choice = Type.Optional(
  Type.Unsafe<string>({ type: 'string', enum: ['enable', 'disable', 'Enable', 'Disable', 'ENABLE', 'DISABLE'] }),
)

const update = operation({
  id: 'compute.hosts.update',
  method: 'PUT',
  path: '/v2.1/os-hosts/{host_name}',
  summary: 'Enable a host or put it in maintenance (not offered)',
  versions,
  policy: policy('update'),
  request: Type.Object({ status: choice, maintenance_mode: choice }, { additionalProperties: false, minProperties: 1 }),
  async handle(ctx, { params, body }) {
    await hostOf(ctx, params.host_name)
    const what = body.status === undefined ? 'maintenance mode' : 'disabled status'
    throw new NotImplemented(`Virt driver does not implement host ${what}.`)
  },
})

const power = (['startup', 'shutdown', 'reboot'] as const).map(verb =>
  operation({
    id: `compute.hosts.${verb}`,
    method: 'GET',
    path: `/v2.1/os-hosts/{host_name}/${verb}`,
    summary: `Host power: ${verb} (not offered)`,
    status: 501,
    versions,
    policy: policy(verb === 'startup' ? 'start' : verb),
    async handle(ctx, { params }) {
      await hostOf(ctx, params.host_name)
      throw new NotImplemented('Virt driver does not implement host power management.')
    },
  }),
)

export const hostOperations: Operation[] = [list, show, update, ...power]
