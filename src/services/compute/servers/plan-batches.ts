/** Batches of servers that were written down before they had a host: placed, begun to be built, or given up. */
import type { Ctx } from '#kernel/context.ts'
import { Fault } from '#kernel/errors.ts'
import { journal } from '#kernel/saga/journal.ts'
import type { SagaError, SagaRun } from '#kernel/saga/saga.ts'
import { tellTaskError } from '../choice-events.ts'
import { computeConfig } from '../config.ts'
import { tell } from '../events.ts'
import { releaseRoom } from '../rooms/steps.ts'
import { buildServer } from './create-saga.ts'
import { type Explanation, noValidHost } from './explanation.ts'
import { place, SchedulerAway } from './placing.ts'
import type { ServerFault, ServerRow } from './server.ts'
import { faultOf, faultOfSaga, releaseClaims } from './steps.ts'
import { listServers, updateServer } from './store.ts'
import { keepExplanation, requestSpecOf } from './store-asked.ts'
import { type Claims, claimsOf, settle } from './store-build-requests.ts'
import { cell0, cell1 } from './store-cells.ts'

/** Claims are with the build requests; a plan that began before there were any has its own. */
export interface PlanInput extends Partial<Claims> {
  server_ids: string[]
  /** How many of them one transaction is about. */
  batch: number
  /** When all must have been built, or have a host; ISO 8601. */
  until: string
}

/** Why none of the servers can be had: no host has room, or something else is lacking. */
export type Refusal = { explanation: Explanation } | { reason: string }

/** What came of a batch that was to be placed. */
interface Placed {
  refusal?: Refusal
  late?: true
}

/** Hosts in the explanation of each server: of thousands, all would fill the disk. */
const explainedHosts = 50

/** Ids of the servers of each, and a name for its steps. */
export function batchesOf({ server_ids, batch }: PlanInput): [name: string, ids: string[]][] {
  return Array.from({ length: Math.ceil(server_ids.length / batch) }, (_, i) => {
    const ids = server_ids.slice(i * batch, (i + 1) * batch)
    return [`${i * batch + 1}-${i * batch + ids.length}`, ids]
  })
}

/** Those of the servers that nothing builds yet, and nobody deletes. */
const waiting = (ctx: Ctx, ids: string[]) => listServers(ctx, { id: ids, ...unplaced }, byIndex)

const unplaced = { vm_state: 'building', task_state: 'scheduling' } as const

export const byIndex = { orderBy: [{ column: 'launch_index' as const, direction: 'asc' as const }] }

const firstPauseMs = 500
const longestPauseMs = 5_000

/**
 * Claims hosts and ports for a batch, or for none of it, and waits for a scheduler that is away. Those that have a host keep it, so it may run
 * twice.
 */
export async function placeBatch(ctx: Ctx, plan: PlanInput, ids: string[], signal: AbortSignal): Promise<Placed> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const left = Date.parse(plan.until) - ctx.clock.now()
    if (left <= 0) return { late: true }
    try {
      const refusal = await ctx.transaction(tx => refusalOf(tx, plan, ids))
      return refusal ? { refusal } : {}
    } catch (error) {
      if (!(error instanceof SchedulerAway)) {
        if (error instanceof Fault) return { refusal: { reason: error.message } }
        throw error
      }
    }
    await ctx.clock.sleep(Math.min(pauseMs, left), signal)
  }
}

/** Throws `SchedulerAway`: nothing of the transaction is to stay. */
async function refusalOf(ctx: Ctx, plan: PlanInput, ids: string[]): Promise<Refusal | undefined> {
  const rows = (await waiting(ctx, ids)).filter(row => row.host === null)
  const [first] = rows
  const spec = first && (await requestSpecOf(ctx, first.id))
  if (!first || !spec) return undefined
  const { networks, security_groups } = (await claimsOf(ctx, first.id)) ?? (plan as Claims)
  const { flavor, image, project_id, user_id } = first
  const rowIds = rows.map(row => row.id)
  const placing = await place(ctx, { flavor, image, spec, ignore: [], project_id, user_id }, rowIds)
  if (!('hosts' in placing)) {
    if (placing.away) throw new SchedulerAway()
    const { asked, hosts } = placing.explanation
    return { explanation: { asked, hosts: hosts.slice(0, explainedHosts) } }
  }
  await settle(ctx, rowIds, cell1)
  for (const [i, row] of rows.entries()) {
    const { host, node, zone } = placing.hosts[i]!
    const placed = { host, node, availability_zone: zone }
    if (!(await updateServer(ctx, row.id, placed, { ...unplaced, host: null }))) {
      // Its delete did not see what was claimed here.
      await releaseRoom(ctx, row.id)
      continue
    }
    await tell(ctx, { ...row, ...placed }, 'create.start')
    const owner = { server_id: row.id, hostname: row.hostname, project_id, availability_zone: zone }
    await ctx.services.network.claimPorts(ctx, owner, networks, security_groups)
  }
  return undefined
}

/** Binds the ports of a batch, so that each host is told once, and begins to build its servers. */
export async function beginBatch(ctx: Ctx, ids: string[]): Promise<void> {
  const { attempts } = ctx.config.of(computeConfig).plans
  for (const { id, host } of await waiting(ctx, ids)) {
    if (host === null) continue
    await ctx.services.network.bindPorts(ctx, id, host)
    await buildServer(ctx, { server_id: id, host, attempts })
  }
}

/** All of them or none: what was claimed is given back, and each says why. */
export async function refuse(s: SagaRun, plan: PlanInput, refusal: Refusal): Promise<void> {
  for (const [name, ids] of batchesOf(plan)) {
    await s.record(`give up ${name}`, async ctx => {
      for (const row of await waiting(ctx, ids)) {
        if ('reason' in refusal) await giveUp(ctx, row, faultOf(ctx, refusal.reason, ''))
        else {
          await keepExplanation(ctx, row.id, refusal.explanation)
          await giveUp(ctx, row, noValidHost(ctx, refusal.explanation))
        }
      }
    })
  }
}

async function giveUp(ctx: Ctx, row: ServerRow, fault: ServerFault): Promise<void> {
  const patch = { vm_state: 'error', task_state: null, host: null, node: null, fault } as const
  // Its delete cleans up.
  if (!(await updateServer(ctx, row.id, patch, unplaced))) return
  await releaseClaims(ctx, row.id)
  await settle(ctx, [row.id], cell0)
  if (row.host === null) await tell(ctx, row, 'create.start')
  const { message, details } = fault
  const told = { exception: 'NoValidHost', message, step: 'choose a host', details }
  await tellTaskError(ctx, 'build_instances', row.id, told)
  await tell(ctx, { ...row, ...patch }, 'create.error', { fault: told })
  ctx.afterCommit(() => ctx.log.warn({ subject: row.id, err: message }, 'a server could not be placed'))
}

/** What has begun ends by itself; the rest never will. */
export async function giveUpWaiting(ctx: Ctx, ids: string[], error: SagaError): Promise<void> {
  for (const row of await waiting(ctx, ids)) {
    const begun = await journal.unfinishedOf(ctx.db, row.id)
    if (begun.length === 0) await giveUp(ctx, row, faultOfSaga(ctx, error))
  }
}
