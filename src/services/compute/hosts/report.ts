/** What a host's report changes: its row, and what its resource provider offers. */
import { isDeepStrictEqual } from 'node:util'
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import type { ComputeControlMethods } from '../agent/methods.ts'
import { keepAggregates } from '../aggregates/steps.ts'
import { tellService } from '../resource-events.ts'
import type { HostRow } from './host.ts'
import { keepProvider } from './provider.ts'
import { hosts, newHosts } from './store.ts'

export type HostReport = Parameters<ComputeControlMethods['report']>[0]

/** Keeps a report. A host that was never heard of is made. */
export async function keepReport(ctx: Ctx, report: HostReport): Promise<void> {
  const known = await hosts.find(ctx.db, { name: report.host })
  // Most reports say nothing new of what the host is: one statement keeps them.
  const { facts: _, ...seen } = seenIn(ctx, report)
  if (known && isAsKnown(known, report) && (await hosts.update(ctx.db, { id: known.id }, seen)) > 0) return
  await ctx.transaction(tx => keepNews(tx, report))
}

const seenIn = (ctx: Ctx, { facts, guests, machine }: HostReport) => ({
  ...{ facts, machine, guests: guests.length, last_seen: new Date(ctx.clock.now()).toISOString() },
})

/** Changed ratios in the configuration come with a restart, which on one machine is the agent's too. */
const isAsKnown = (known: HostRow, { facts, started }: HostReport) => !started && isDeepStrictEqual(known.facts, facts)

async function keepNews(ctx: Ctx, report: HostReport): Promise<void> {
  const { host: name, facts, started } = report
  const seen = seenIn(ctx, report)
  const now = seen.last_seen
  const known = (await hosts.find(ctx.db, { name })) ?? (await madeMeanwhile(ctx, name))
  if (known) {
    await hosts.update(ctx.db, { id: known.id }, { ...seen, ...(started && { started_at: now }) })
    if (!isAsKnown(known, report)) await keepProvider(ctx, { ...known, facts })
    return
  }
  const row = {
    ...seen,
    uuid: ctx.ids.uuid(),
    provider_uuid: ctx.ids.uuid(),
    name,
    created_at: now,
    started_at: now,
    disabled: false,
    disabled_reason: null,
    forced_down: false,
    dedicated_to: null,
  }
  await newHosts.insert(ctx.db, row)
  await keepProvider(ctx, row)
  await keepAggregates(ctx, row)
  await tellService(ctx, 'create', row)
  ctx.log.info({ host: name }, 'a new host reports')
}

/** Of several first reports at once one makes the host: the others wait for it. */
async function madeMeanwhile(ctx: Ctx, name: string): Promise<HostRow | undefined> {
  await lock(ctx.db, ctx.database.engine, `compute.host ${name}`)
  return hosts.find(ctx.db, { name })
}
