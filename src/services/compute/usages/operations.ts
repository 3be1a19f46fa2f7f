/** Simple tenant usage: how long a project's servers ran in a period, and what they had. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import { dedicatedIn } from '../dedicated-hosts/store.ts'
import { linksSchema, naiveTime, pageQuery, paging, query } from '../dialect.ts'
import type { ServerRow } from '../servers/server.ts'
import { deletedServers, listServers } from '../servers/store.ts'
import { type DedicatedUsage, hostCharges, usageOfDedicated } from './dedicated-usage.ts'

interface Period {
  start: number
  stop: number
}

/** A server that may be gone. */
type Ran = Pick<
  ServerRow,
  'id' | 'display_name' | 'project_id' | 'flavor' | 'launched_at' | 'terminated_at' | 'vm_state'
>

const periodQuery = query({
  start: Type.Optional(Type.String()),
  end: Type.Optional(Type.String()),
  detailed: Type.Optional(Type.String()),
  ...pageQuery,
})

/** Times are UTC, whatever they look like. */
function instant(text: string | undefined, now: number): number {
  if (text === undefined || text === '') return now
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)$/.exec(text)
  const value = match ? Date.parse(`${match[1]}T${match[2]}Z`) : Number.NaN
  if (Number.isNaN(value)) throw new BadRequest('Invalid datetime string: Datetime is in invalid format')
  return value
}

function periodOf(ctx: Ctx, asked: { start?: string; end?: string }): Period {
  const now = ctx.clock.now()
  const start = instant(asked.start, now)
  const stop = instant(asked.end, now)
  // Without a period it is about this very moment.
  const momentary = !asked.start && !asked.end
  if (start >= stop && !momentary)
    throw new BadRequest('Invalid start time. The start time cannot occur after the end time.')
  return { start, stop: Math.min(stop, now) }
}

/** Most servers that one answer is computed from. */
const most = 100_000

/** Servers that ran in the period, those deleted since included, by id. */
async function ranIn(ctx: Ctx, { start, stop }: Period, project?: string): Promise<Ran[]> {
  const live = await listServers(ctx, project === undefined ? {} : { project_id: project })
  const gone = await deletedServers(ctx, new Date(start).toISOString(), most)
  const all: Ran[] = [...live, ...gone.filter(row => project === undefined || row.project_id === project)]
  return all
    .filter(({ launched_at }) => launched_at !== null && Date.parse(launched_at) < stop)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

interface Asked {
  start?: string
  end?: string
  limit?: number
  marker?: string
}

/** From 2.40 on an answer is about one page of servers, not about all. */
async function pageOfUsages(ctx: Ctx, asked: Asked, url: string, collection: string, project?: string) {
  const period = periodOf(ctx, asked)
  const ran = await ranIn(ctx, period, project)
  const usagesOf = (some: Ran[]) => some.map(server => usageOfServer(ctx, server, period))
  if (!ctx.atLeast('2.40')) return { period, usages: usagesOf(ran), links: {} }
  const page = paging(ctx, asked.limit)
  const from = asked.marker === undefined ? 0 : ran.findIndex(server => server.id === asked.marker) + 1
  if (asked.marker !== undefined && from === 0) throw new BadRequest(`marker [${asked.marker}] not found`)
  const some = ran.slice(from, from + page.limit)
  return { period, usages: usagesOf(some), links: page.links(collection, url, some.length, some.at(-1)?.id) }
}

function usageOfServer(ctx: Ctx, server: Ran, { start, stop }: Period) {
  const launched = Date.parse(server.launched_at!)
  const ended = server.terminated_at ? Date.parse(server.terminated_at) : undefined
  const until = Math.min(stop, ended ?? stop)
  return {
    instance_id: server.id,
    name: server.display_name,
    tenant_id: server.project_id,
    flavor: server.flavor.name,
    hours: Math.max(0, until - Math.max(launched, start)) / 3_600_000,
    memory_mb: server.flavor.ram,
    local_gb: server.flavor.disk + server.flavor.ephemeral,
    vcpus: server.flavor.vcpus,
    started_at: naiveTime(new Date(launched).toISOString()),
    ended_at: server.terminated_at ? naiveTime(server.terminated_at) : null,
    state: ended === undefined ? server.vm_state : 'terminated',
    uptime: Math.floor(((ended ?? ctx.clock.now()) - launched) / 1000),
  }
}

type ServerUsage = ReturnType<typeof usageOfServer>

interface Usages {
  servers: ServerUsage[]
  hosts: DedicatedUsage[]
}

function summary(tenant_id: string, { servers: usages, hosts }: Usages, period: Period, detailed: boolean) {
  const sum = (of: (usage: ServerUsage) => number) => usages.reduce((total, usage) => total + of(usage), 0)
  return {
    tenant_id,
    total_hours: sum(u => u.hours),
    total_local_gb_usage: sum(u => u.local_gb * u.hours),
    total_vcpus_usage: sum(u => u.vcpus * u.hours),
    total_memory_mb_usage: sum(u => u.memory_mb * u.hours),
    start: naiveTime(new Date(period.start).toISOString()),
    stop: naiveTime(new Date(period.stop).toISOString()),
    ...(detailed && { server_usages: usages }),
    ...hostCharges(hosts, detailed),
  }
}

/** On the first page: pages are of servers. */
async function hostUsages(ctx: Ctx, period: Period, { marker }: Asked, project?: string): Promise<DedicatedUsage[]> {
  if (marker !== undefined) return []
  return (await dedicatedIn(ctx, period, project)).map(row => usageOfDedicated(row, period))
}

const list = operation({
  id: 'compute.usages.list',
  method: 'GET',
  path: '/v2.1/os-simple-tenant-usage',
  summary: 'Usage of all projects in a period',
  policy: rule('os_compute_api:os-simple-tenant-usage:list', admin),
  query: periodQuery,
  response: Type.Object({
    tenant_usages: Type.Array(Type.Unknown()),
    tenant_usages_links: since('2.40', linksSchema),
  }),
  async handle(ctx, { query, url }) {
    const { period, usages, links } = await pageOfUsages(ctx, query, url, 'tenant_usages_links')
    const byProject = Map.groupBy(usages, usage => usage.tenant_id)
    const hosts = Map.groupBy(await hostUsages(ctx, period, query), usage => usage.tenant_id)
    const projects = [...new Set([...byProject.keys(), ...hosts.keys()])]
    return {
      tenant_usages: projects.map(project => {
        const its = { servers: byProject.get(project) ?? [], hosts: hosts.get(project) ?? [] }
        return summary(project, its, period, query.detailed === '1')
      }),
      ...links,
    }
  },
})

const show = operation({
  id: 'compute.usages.show',
  method: 'GET',
  path: '/v2.1/os-simple-tenant-usage/{project_id}',
  summary: "A project's usage in a period",
  policy: rule('os_compute_api:os-simple-tenant-usage:show', projectReaderOrAdmin),
  query: periodQuery,
  response: Type.Object({ tenant_usage: Type.Unknown(), tenant_usage_links: since('2.40', linksSchema) }),
  load: async (_ctx, { params }) => ({ project_id: params.project_id }),
  async handle(ctx, { params, query, url }) {
    const project = params.project_id
    const { period, usages, links } = await pageOfUsages(ctx, query, url, 'tenant_usage_links', project)
    const its = { servers: usages, hosts: await hostUsages(ctx, period, query, project) }
    const isNone = its.servers.length + its.hosts.length === 0
    return { tenant_usage: isNone ? {} : summary(project, its, period, true), ...links }
  },
})

export const usageOperations: Operation[] = [list, show]
