/** Hosts as the rest of the service sees them. */
import type { Ctx } from '#kernel/context.ts'
import { networkConfig } from '../config.ts'
import { type HostRow, leastLoadedHost } from './store.ts'

/** Hosts that have not reported since are dead. */
function aliveSince(ctx: Ctx): string {
  return new Date(ctx.clock.now() - ctx.config.of(networkConfig).agent_down_seconds * 1000).toISOString()
}

export const isAlive = (ctx: Ctx, host: HostRow) => host.heartbeat_at > aliveSince(ctx)

/** The host for a new router; null while none is alive: then the first that reports takes it. */
export async function hostForRouter(ctx: Ctx): Promise<string | null> {
  return (await leastLoadedHost(ctx.db, aliveSince(ctx))) ?? null
}
