/** Are the hosts' network agents heard from? */
import type { Ctx } from '#kernel/context.ts'
import { type HealthCheck, heardFrom } from '#kernel/health.ts'
import { networkConfig } from '../config.ts'
import { hostRows } from './store.ts'

export const hostNetworksHealth: HealthCheck = {
  part: 'host_networks',
  async check(ctx: Ctx) {
    const limitMs = ctx.config.of(networkConfig).agent_down_seconds * 1000
    const all = await hostRows.pick(ctx.db, ['heartbeat_at'], {}, { orderBy: [{ column: 'host', direction: 'asc' }] })
    const heard = all.map(({ heartbeat_at }) => ({ last_seen: heartbeat_at }))
    return heardFrom(ctx, heard, limitMs)
  },
}
