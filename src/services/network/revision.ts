/** The revision of the desired state: grows with every change and is noted for the hosts that it concerns; these are asked after the commit. */
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { syncHost, syncHostSoon } from './host-agent.ts'
import { type Concern, type Concerned, concernedBy, everyHost, grow, want } from './hosts/store.ts'
import { noteChanges } from './hosts/store-neighbours.ts'

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
  const found = await concerned(ctx, concerns)
  await want(ctx.db, found, revision)
  await noteChanges(ctx.db, revision, found.changes)
  ctx.afterCommit(() => {
    for (const host of found.now) syncHost(ctx, host)
    for (const host of found.soon) syncHostSoon(ctx, host)
  })
}

async function concerned(ctx: Ctx, concerns: (Concern | undefined)[]): Promise<Concerned> {
  const known = concerns.filter(concern => concern !== undefined)
  if (known.length < concerns.length)
    return { now: new Set(await everyHost(ctx.db)), soon: new Set(), changes: [{ of_id: '', port_id: '' }] }
  const ids = (key: Exclude<keyof Concern, 'left'>) => [...new Set(known.flatMap(concern => concern[key] ?? []))]
  return concernedBy(ctx.db, {
    hosts: ids('hosts'),
    ports: ids('ports'),
    networks: ids('networks'),
    security_groups: ids('security_groups'),
    routers: ids('routers'),
    readdressed: ids('readdressed'),
    left: known.flatMap(concern => concern.left ?? []),
  })
}
