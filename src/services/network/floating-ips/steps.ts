/** What happens to floating IPs when the ports and addresses behind them go. */
import type { Ctx } from '#kernel/context.ts'
import { touch } from '#kernel/standard-row.ts'
import { allocationRows } from '../ports/store.ts'
import { changed } from '../revision.ts'
import { type FloatingIpRow, floatingIpRows } from './store.ts'

export async function disassociate(ctx: Ctx, floatingIp: FloatingIpRow): Promise<FloatingIpRow> {
  if (floatingIp.router_id !== null) await changed(ctx, { routers: [floatingIp.router_id] })
  const free = { fixed_port_id: null, fixed_ip_address: null, router_id: null, status: 'DOWN' } as const
  return touch(ctx, floatingIpRows, floatingIp, free)
}

/** Frees the floating IPs of a port, or those whose address the port has no longer. */
export async function disassociateLost(ctx: Ctx, portId: string): Promise<void> {
  const found = await floatingIpRows.list(ctx.db, { fixed_port_id: portId })
  if (found.length === 0) return
  const has = new Set((await allocationRows.list(ctx.db, { port_id: portId })).map(row => row.ip_address))
  for (const one of found) if (!has.has(one.fixed_ip_address!)) await disassociate(ctx, one)
}
