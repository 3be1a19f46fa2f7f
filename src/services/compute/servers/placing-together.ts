/** Room for several alike servers claimed at once, where nothing is in the way: a plan for thousands is too slow one by one. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import type { Candidate, ConsumerSpec } from '../../placement/contract.ts'
import { recheck } from '../hosts/steps.ts'
import { hosts as hostRows } from '../hosts/store.ts'
import { releaseRoom } from '../rooms/steps.ts'
import type { Deciding } from '../scheduler/decide.ts'
import { type HostState, passing, type ScheduleRequest } from '../scheduler/scheduler.ts'
import { chooseSeveral } from '../scheduler/several.ts'
import type { MachineWishes } from './machine.ts'
import { claimedAmounts } from './resources.ts'

interface Choice {
  wish: ScheduleRequest & MachineWishes
  options: Deciding
  hosts: HostState[]
  candidates: readonly Candidate[]
}

/** How often hosts are chosen anew because some of the chosen ones turn out to be down or taken. */
const mostTries = 4

/** A host for each consumer, with its room claimed; undefined, and nothing claimed, when it has to be done one by one. In a transaction. */
export async function claimTogether(
  ctx: Ctx,
  choice: Choice,
  consumers: readonly ConsumerSpec[],
): Promise<HostState[] | undefined> {
  const { wish, options, candidates } = choice
  // A driver chooses for one server, and each takes its own cells, CPUs and devices.
  if (consumers.length < 2 || options.driver || wish.topology || wish.devices.length > 0) return undefined
  const chosen = await sureHosts(ctx, choice, consumers.length)
  if (!chosen) return undefined
  const byRoot = new Map(candidates.map(candidate => [candidate.root, candidate]))
  const claims = consumers.map((consumer, i) => {
    const allocations = claimedAmounts(byRoot.get(chosen[i]!.provider)!.allocations, wish)
    return { consumer, allocations }
  })
  try {
    await ctx.services.placement.claimMany(ctx, claims)
  } catch (error) {
    if (error instanceof Conflict) return undefined
    throw error
  }
  if (await areOpenTo(ctx, chosen, consumers[0]!.project_id)) return chosen
  for (const { id } of consumers) await releaseRoom(ctx, id)
  return undefined
}

async function sureHosts(ctx: Ctx, { wish, options, hosts }: Choice, count: number): Promise<HostState[] | undefined> {
  let left = hosts
  for (let tries = 0; tries < mostTries; tries++) {
    const chosen = chooseSeveral(wish, left, options, count)
    if (chosen.length < count) return undefined
    const distinct = new Set(chosen)
    // What is remembered of a host does not say that it is up.
    const sure = new Set(passing(wish, await recheck(ctx, [...distinct]), options).passed)
    if (sure.size === distinct.size) return chosen
    left = left.filter(host => sure.has(host) || !distinct.has(host))
  }
  return undefined
}

/** A project may have got one of the hosts for itself while the claim waited for it. */
export async function areOpenTo(ctx: Ctx, hosts: readonly HostState[], project_id: string): Promise<boolean> {
  // There, nobody else writes meanwhile.
  if (ctx.database.engine === 'sqlite') return true
  const provider_uuid = [...new Set(hosts.map(({ provider }) => provider))]
  const found = await hostRows.pick(ctx.db, ['dedicated_to'], { provider_uuid })
  return found.every(({ dedicated_to }) => dedicated_to === null || dedicated_to === project_id)
}
