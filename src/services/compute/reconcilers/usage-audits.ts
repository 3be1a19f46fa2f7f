/** Audits usage: once a period has ended, tells of every server that a host had in it. Off unless the configuration asks for it. */
import type { Ctx } from '#kernel/context.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { computeConfig } from '../config.ts'
import { tell } from '../events.ts'
import { hosts, inOrder } from '../hosts/store.ts'
import type { ServerRow } from '../servers/server.ts'
import { deletedServers, listServers } from '../servers/store.ts'
import { usageAudits } from '../usage-audits/store.ts'
import { lastPeriod, type Period } from '../usage-audits/usage-audit.ts'

/** Most deleted servers that one audit looks at. */
const most = 100_000

export const usageAuditing = reconciler({
  id: 'compute.usage-audits',
  every: 600_000,
  async run(ctx) {
    const { enabled, period: setting } = ctx.config.of(computeConfig).usage_audit
    if (!enabled) return
    const period = lastPeriod(setting, ctx.clock.now())
    const done = new Set((await usageAudits.list(ctx.db, keyOf(period))).map(audit => audit.host))
    const names = (await hosts.pick(ctx.db, ['name', 'id'], {}, inOrder)).map(host => host.name)
    const missing = names.filter(name => !done.has(name))
    if (missing.length === 0) return
    const byHost = Map.groupBy(await ranIn(ctx, period), server => server.host)
    for (const host of missing) await audit(ctx, host, period, byHost.get(host) ?? [])
  },
})

const keyOf = ({ begin, end }: Period) => ({
  period_beginning: new Date(begin).toISOString(),
  period_ending: new Date(end).toISOString(),
})

async function ranIn(ctx: Ctx, { begin, end }: Period): Promise<ServerRow[]> {
  const gone = await deletedServers(ctx, new Date(begin).toISOString(), most)
  const all = [...(await listServers(ctx, {})), ...gone]
  return all.filter(({ launched_at }) => launched_at !== null && Date.parse(launched_at) < end)
}

/** One host, in one transaction: its events are sent once and for certain. */
async function audit(ctx: Ctx, host: string, period: Period, servers: ServerRow[]): Promise<void> {
  const key = keyOf(period)
  await ctx.transaction(async tx => {
    const audit_period = { begin: key.period_beginning, end: key.period_ending }
    for (const server of servers) await tell(tx, server, 'exists', { audit_period })
    const message = `Instance usage audit ran for host ${host}, ${servers.length} instances.`
    await usageAudits.insert(tx.db, { host, ...key, instances: servers.length, errors: 0, message })
  })
  ctx.log.info({ host, instances: servers.length, ...key }, 'usage audited')
}
