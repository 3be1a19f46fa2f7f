/** What guests have of hosts, claimed, passed on and freed: amounts in placement, and with them cells, CPUs and devices, and what their links hold. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { Conflict } from '#kernel/errors.ts'
import type { ConsumerSpec } from '../../placement/contract.ts'
import { amountsOfFit, freeNow } from '../hosts/steps.ts'
import { connect, disconnect, endsOf, passEnds } from '../links/steps.ts'
import { fitOnHost } from '../scheduler/fit.ts'
import type { HostState, ScheduleRequest } from '../scheduler/scheduler.ts'
import { dropRoom, passRoom, putRoom, roomFor } from './store.ts'

type Amounts = Record<string, Record<string, number>>

interface Lack {
  asked: string
  lacks: string
}

type Wish = Pick<ScheduleRequest, 'topology' | 'devices'> & {
  /** Of a server that may have links. */
  bundle_id?: string | undefined
}

/**
 * Claims what a guest needs of a host, in the caller's transaction. Throws `Conflict` when placement lacks the amounts; says what is lacking
 * when the host's cells, CPUs or devices, or the uplinks of its links, have gone to others.
 */
export async function claimRoom(
  ctx: Ctx,
  consumer: ConsumerSpec,
  host: HostState,
  wish: Wish,
  amounts: Amounts,
): Promise<Lack | undefined> {
  const refusal = await claimOnHost(ctx, consumer, host, wish, amounts)
  if (refusal || wish.bundle_id === undefined) return refusal
  try {
    await connect(ctx, wish.bundle_id, consumer.id, host.host)
    return undefined
  } catch (error) {
    if (!(error instanceof Conflict)) throw error
    await releaseRoom(ctx, consumer.id)
    return { asked: 'bandwidth for its links', lacks: 'an uplink with less' }
  }
}

async function claimOnHost(
  ctx: Ctx,
  consumer: ConsumerSpec,
  host: HostState,
  { topology, devices = [] }: Wish,
  amounts: Amounts,
): Promise<Lack | undefined> {
  if (!topology && devices.length === 0) {
    await ctx.services.placement.claim(ctx, consumer, amounts)
    return undefined
  }
  // Who chooses CPUs of a host does so alone: it must see what the last one took.
  await lock(ctx.db, ctx.database.engine, `compute/room/${host.host}`)
  const fitted = fitOnHost(topology, devices, await freeNow(ctx, host.host))
  if ('lacks' in fitted) return { asked: 'cells, CPUs and devices', lacks: fitted.lacks }
  await ctx.services.placement.claim(ctx, consumer, { ...amounts, ...amountsOfFit(host, fitted.fit) })
  await putRoom(ctx, roomFor(consumer.id, host.host, fitted.fit))
  host.numa = await freeNow(ctx, host.host)
  return undefined
}

/** Gives all that one consumer has to another one. */
export async function handOverRoom(ctx: Ctx, from: string, to: ConsumerSpec): Promise<void> {
  const ends = await endsOf(ctx, from)
  await ctx.services.placement.handOver(ctx, from, to)
  await passRoom(ctx, from, to.id)
  if (ends.length > 0) await passEnds(ctx, from, to.id)
}

/** Unknown consumers are fine. */
export async function releaseRoom(ctx: Ctx, consumer: string): Promise<void> {
  const ends = await endsOf(ctx, consumer)
  await ctx.services.placement.release(ctx, consumer)
  await dropRoom(ctx, consumer)
  await disconnect(ctx, consumer, ends)
}
