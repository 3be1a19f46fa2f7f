/** Tells the guests that are there of a build that is new: each asks for it once, when it runs. */
import type { Ctx } from '#kernel/context.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { isFor, isSameWord } from '../../agent-builds/agent-build.ts'
import { agentBuilds } from '../../agent-builds/store.ts'
import { hosts } from '../../hosts/store.ts'
import type { ServerRow } from '../server.ts'
import { hasAgent } from '../software/software.ts'
import { listServers } from '../store.ts'
import { kindOf, osOf } from './new-guest.ts'
import { addWork } from './store.ts'

export const agentBuildOffers = reconciler({
  id: 'compute.agent_builds',
  every: 10_000,
  async run(ctx) {
    for (const build of await agentBuilds.list(ctx.db, { offered: false })) {
      for (const host of await hosts.list(ctx.db))
        await offer(ctx, host.name, server => isFor(build, kindOf(host, osOf(server))))
      // On the shelf, or not placed yet: whether it fits is known when there is a host.
      await offer(ctx, null, server => isSameWord(build.os, osOf(server)))
      // One that was changed meanwhile is offered again.
      const { id, version, url, md5hash } = build
      await agentBuilds.update(ctx.db, { id, version, url, md5hash }, { offered: true })
    }
  },
})

async function offer(ctx: Ctx, host: string | null, isKin: (server: ServerRow) => boolean): Promise<void> {
  await ctx.transaction(async tx => {
    const servers = await listServers(tx, { host })
    for (const server of servers)
      if (hasAgent(server.image) && isKin(server)) await addWork(tx, server.id, 'update_agent')
  })
}
