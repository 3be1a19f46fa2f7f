/** The log of usage audits: which hosts told of the last period, and of how many servers. */
import type { Ctx } from '#kernel/context.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { computeConfig } from '../config.ts'
import { body, noQuery } from '../dialect.ts'
import { hosts, inOrder } from '../hosts/store.ts'
import { usageAudits } from './store.ts'
import { lastPeriod, shownTime, timeOf } from './usage-audit.ts'

const count = Type.Integer({ minimum: 0 })
const log = Type.Object({
  period_beginning: Type.String(),
  period_ending: Type.String(),
  num_hosts: count,
  num_hosts_done: count,
  num_hosts_running: count,
  num_hosts_not_run: count,
  hosts_not_run: Type.Array(Type.String()),
  total_instances: count,
  total_errors: count,
  overall_status: Type.String(),
  log: Type.Record(
    Type.String(),
    Type.Object({ state: Type.String(), instances: count, errors: count, message: Type.String() }),
  ),
})

async function logBefore(ctx: Ctx, time: number) {
  const { begin, end } = lastPeriod(ctx.config.of(computeConfig).usage_audit.period, time)
  const period = { period_beginning: new Date(begin).toISOString(), period_ending: new Date(end).toISOString() }
  const found = await usageAudits.list(ctx.db, period, { orderBy: [{ column: 'host', direction: 'asc' }] })
  const names = (await hosts.pick(ctx.db, ['name', 'id'], {}, inOrder)).map(host => host.name)
  const done = new Set(found.map(audit => audit.host))
  const missing = names.filter(name => !done.has(name))
  const sum = (of: 'instances' | 'errors') => found.reduce((total, audit) => total + audit[of], 0)
  const all = done.size === names.length ? 'ALL' : `${done.size} of ${names.length}`
  return {
    period_beginning: shownTime(begin),
    period_ending: shownTime(end),
    num_hosts: names.length,
    num_hosts_done: done.size,
    // A host's audit is one transaction: nobody sees it half done.
    num_hosts_running: 0,
    num_hosts_not_run: missing.length,
    hosts_not_run: missing,
    total_instances: sum('instances'),
    total_errors: sum('errors'),
    overall_status: `${all} hosts done. ${sum('errors')} errors.`,
    log: Object.fromEntries(
      found.map(({ host, instances, errors, message }) => [host, { state: 'DONE', instances, errors, message }]),
    ),
  }
}

const path = '/v2.1/os-instance_usage_audit_log'
const policy = (verb: string) => rule(`os_compute_api:os-instance-usage-audit-log:${verb}`, admin)

export const usageAuditOperations: Operation[] = [
  operation({
    id: 'compute.usage_audits.list',
    method: 'GET',
    path,
    summary: 'Show the usage audits of the last period',
    policy: policy('list'),
    query: noQuery,
    response: body('instance_usage_audit_logs', log),
    handle: async ctx => ({ instance_usage_audit_logs: await logBefore(ctx, ctx.clock.now()) }),
  }),
  operation({
    id: 'compute.usage_audits.show',
    method: 'GET',
    path: `${path}/{before_timestamp}`,
    summary: 'Show the usage audits of the last period before a time',
    policy: policy('show'),
    query: noQuery,
    response: body('instance_usage_audit_log', log),
    handle: async (ctx, { params }) => ({
      instance_usage_audit_log: await logBefore(ctx, timeOf(params.before_timestamp)),
    }),
  }),
]
