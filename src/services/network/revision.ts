/** The revision of the desired state: grows with every change and is noted for the hosts that it concerns; these are asked after the commit. */
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { syncHost, syncHostSoon } from './host-agent.ts'
import { type Concern, type ConcernedHosts, everyHost, grow, hostsConcerned, want } from './hosts/store.ts'

/** What the open transactions have changed so far. */
const open = new WeakMap<Db, (Concern | undefined)[]>()

/**
 * Call it in every transaction that changes what a host carries, with what it is about; without, every host is asked. The counter's row is
 * written last of all.
 */
export async function changed(ctx: Ctx, concern?: Concern): Promise<void> {
  open.set(ctx.db, [...(open.get(ctx.db) ?? []), concern])
  await ctx.beforeCommit('network.revision', noteHosts)
}

async function noteHosts(ctx: Ctx): Promise<void> {
  const concerns = open.get(ctx.db) ?? []
  open.delete(ctx.db)
  // First: changes that meet wait here for each other, so that the later one sees where the earlier one has put its ports.
  const revision = await grow(ctx.db)
  const { now, soon } = await concerned(ctx, concerns)
  await want(ctx.db, [...now, ...soon], revision)
  ctx.afterCommit(() => {
    for (const host of now) syncHost(ctx, host)
    for (const host of soon) syncHostSoon(ctx, host)
  })
}

async function concerned(ctx: Ctx, concerns: (Concern | undefined)[]): Promise<ConcernedHosts> {
  const known = concerns.filter(concern => concern !== undefined)
  if (known.length < concerns.length) return { now: new Set(await everyHost(ctx.db)), soon: new Set() }
  const all = (key: keyof Concern) => [...new Set(known.flatMap(concern => concern[key] ?? []))]
  return hostsConcerned(ctx.db, {
    hosts: all('hosts'),
    ports: all('ports'),
    networks: all('networks'),
    security_groups: all('security_groups'),
    routers: all('routers'),
    leases_of: all('leases_of'),
    members_of: all('members_of'),
  })
}
