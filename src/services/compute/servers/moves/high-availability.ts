/** Servers of a host that failed come back elsewhere by themselves, when they are marked for it. */
import { type Ctx, perCloud } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { computeConfig } from '../../config.ts'
import { isTrue } from '../../dialect.ts'
import { isFenced } from '../../fencing/steps.ts'
import { hostAgent } from '../../host-agent.ts'
import { type HostRow, isUp } from '../../hosts/host.ts'
import { hosts } from '../../hosts/store.ts'
import type { ServerRow } from '../server.ts'
import { allowed } from '../states.ts'
import { isUnreachable } from '../steps.ts'
import { listServers } from '../store.ts'
import { isEvacuated } from '../store-moves.ts'
import { beginEvacuation } from './evacuate.ts'
import { openEvacuation } from './move.ts'
import { moves } from './store.ts'

/** In a server's metadata, or its flavor's extra specs. What the server says counts more. */
export const mark = 'HA_Enabled'

export const isMarked = ({ metadata, flavor }: Pick<ServerRow, 'metadata' | 'flavor'>): boolean =>
  isTrue(metadata[mark] ?? flavor.extra_specs[mark])

const everyMs = 5_000
/** Longer without a look: the control side itself was away, and knows nothing of what hosts did meanwhile. */
const gapMs = 6 * everyMs
const answerMs = 5_000
const retryMs = 60_000

export interface Watch {
  lookedAt: number
  /** Since when each host was found down, at every look. */
  downSince: Map<string, number>
}

const watchOf = perCloud((): Watch => ({ lookedAt: 0, downSince: new Map() }))

/** Of the hosts that are down those that were so at every look for so long. What was seen before the control side was away does not count. */
export function lostHosts<Host extends { name: string }>(
  watch: Watch,
  down: readonly Host[],
  { now, afterMs }: { now: number; afterMs: number },
): Host[] {
  const known = now - watch.lookedAt > gapMs ? new Map<string, number>() : watch.downSince
  watch.lookedAt = now
  watch.downSince = new Map(down.map(({ name }) => [name, known.get(name) ?? now]))
  return down.filter(({ name }) => now - watch.downSince.get(name)! >= afterMs)
}

export const highAvailability = reconciler({
  id: 'compute.high-availability',
  every: everyMs,
  async run(ctx) {
    const { after_seconds, together } = ctx.config.of(computeConfig).high_availability
    if (after_seconds === 0) return
    const all = await hosts.list(ctx.db)
    const down = all.filter(host => !isUp(ctx, host))
    const watch = watchOf(ctx)
    const lost = lostHosts(watch, down, { now: ctx.clock.now(), afterMs: after_seconds * 1000 })
    if (lost.length === 0) return
    if (down.length * 2 > all.length) {
      ctx.log.warn(
        { down: down.length, hosts: all.length },
        'most hosts are down: that is no failure of hosts, and nothing is evacuated',
      )
      return
    }
    let room = together - (await moves.count(ctx.db, openEvacuation))
    for (const host of lost) if (room > 0) room -= await bringBack(ctx, host, room)
    // Hosts that do not answer take their time; nobody was away meanwhile.
    watch.lookedAt = ctx.clock.now()
  },
})

/** Begins up to `most` evacuations; how many it began. */
async function bringBack(ctx: Ctx, row: HostRow, most: number): Promise<number> {
  const host = row.name
  const { from, over = [] } = allowed.evacuate
  const vm_state = from.filter(state => state !== 'error')
  const servers = (await listServers(ctx, { host, vm_state })).filter(isMarked)
  const free = servers.filter(({ task_state }) => task_state === null || over.includes(task_state))
  if (free.length === 0 || (await answers(ctx, host)) || !(await isFenced(ctx, row))) return 0
  let begun = 0
  for (const server of free) {
    if (begun === most) break
    if ((await isEvacuated(ctx, server.id)) || (await failedLately(ctx, server.id))) continue
    try {
      const power_on = server.vm_state !== 'stopped'
      await beginEvacuation(ctx, server, { to: null, forced: false, power_on, unless_back: true })
      ctx.log.warn({ server_id: server.id, host }, 'a server comes back elsewhere: its host failed')
      begun++
    } catch (error) {
      ctx.log.warn(
        { err: messageOf(error), server_id: server.id, host },
        'a server of a failed host cannot come back now',
      )
    }
  }
  return begun
}

/** A host that says anything at all runs its guests. */
async function answers(ctx: Ctx, host: string): Promise<boolean> {
  try {
    await hostAgent(ctx, host).call('list', null, { request: ctx, deadline: ctx.clock.now() + answerMs })
    return true
  } catch (error) {
    return !isUnreachable(error)
  }
}

async function failedLately(ctx: Ctx, server_id: string): Promise<boolean> {
  const value = new Date(ctx.clock.now() - retryMs).toISOString()
  const failed = { server_id, type: 'evacuation', status: ['failed', 'error'] } as const
  return (await moves.count(ctx.db, { ...failed, updated_at: { op: '>=', value } })) > 0
}
