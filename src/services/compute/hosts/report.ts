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

/** Keeps a report, in the transaction that `ctx.db` is. A host that was never heard of is made. */
export async function keepReport(ctx: Ctx, { host: name, facts, guests, started, machine }: HostReport): Promise<void> {
  const now = new Date(ctx.clock.now()).toISOString()
  const known = (await hosts.find(ctx.db, { name })) ?? (await madeMeanwhile(ctx, name))
  const seen = { facts, machine, guests: guests.length, last_seen: now }
  if (known) {
    await hosts.update(ctx.db, { id: known.id }, { ...seen, ...(started && { started_at: now }) })
    // Changed ratios in the configuration come with a restart, which on one machine is the agent's too.
    if (started || !isDeepStrictEqual(known.facts, facts)) await keepProvider(ctx, { ...known, facts })
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
