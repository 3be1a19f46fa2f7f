/** Are the hosts heard from? One that an operator has disabled or forced down is not asked for. */
import type { Ctx } from '#kernel/context.ts'
import { type HealthCheck, heardFrom } from '#kernel/health.ts'
import { computeConfig } from '../config.ts'
import { hosts, inOrder } from './store.ts'

export const hostsHealth: HealthCheck = {
  part: 'hosts',
  async check(ctx: Ctx) {
    const limitMs = ctx.config.of(computeConfig).hosts.down_after_seconds * 1000
    const wanted = await hosts.pick(ctx.db, ['last_seen'], { disabled: false, forced_down: false }, inOrder)
    return heardFrom(ctx, wanted, limitMs)
  },
}
