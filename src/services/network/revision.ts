/** The revision of the desired state: grows with every change, is noted for the hosts that it concerns, and these are asked after the commit. */
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { syncSoon } from './host-agent.ts'
import { type Concern, everyHost, grow, hostsConcerned, want } from './hosts/store.ts'

/** What the open transactions have changed; undefined when it may concern every host. */
const open = new WeakMap<Db, Concern[] | undefined>()

/**
 * Call it in every transaction that changes what a host carries, with what it is about; without, every host is asked. Hosts are found at
 * the end of the transaction, so name those that carried it before. The counter's row is written last of all.
 */
export async function changed(ctx: Ctx, concern?: Concern): Promise<void> {
  const before = open.get(ctx.db)
  const all = concern === undefined || (open.has(ctx.db) && before === undefined)
  open.set(ctx.db, all ? undefined : [...(before ?? []), concern])
  await ctx.beforeCommit('network.revision', noteHosts)
}

async function noteHosts(ctx: Ctx): Promise<void> {
  const concerns = open.get(ctx.db)
  open.delete(ctx.db)
  const hosts = concerns ? await hostsConcerned(ctx.db, merged(concerns)) : new Set(await everyHost(ctx.db))
  const revision = await grow(ctx.db)
  if (hosts.size === 0) return
  await want(ctx.db, hosts, revision)
  ctx.afterCommit(() => {
    for (const host of hosts) syncSoon(ctx, host)
  })
}

function merged(concerns: Concern[]): Concern {
  const all = (key: keyof Concern) => [...new Set(concerns.flatMap(concern => concern[key] ?? []))]
  return {
    hosts: all('hosts'),
    networks: all('networks'),
    ports: all('ports'),
    security_groups: all('security_groups'),
    routers: all('routers'),
  }
}
