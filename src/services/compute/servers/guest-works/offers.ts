/** Tells the guests that are there of a build that is new: each asks for it once, when it runs. */
import { reconciler } from '#kernel/reconcile.ts'
import { isFor } from '../../agent-builds/agent-build.ts'
import { agentBuilds } from '../../agent-builds/store.ts'
import { hosts } from '../../hosts/store.ts'
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
        await ctx.transaction(async tx => {
          const servers = await listServers(tx, { host: host.name })
          const kin = servers.filter(server => hasAgent(server.image) && isFor(build, kindOf(host, osOf(server))))
          for (const { id } of kin) await addWork(tx, id, 'update_agent')
        })
      // One that was changed meanwhile is offered again.
      const { id, version, url, md5hash } = build
      await agentBuilds.update(ctx.db, { id, version, url, md5hash }, { offered: true })
    }
  },
})
