/** The revision of the desired state: grows with every change, and tells the hosts after the commit. */
import type { Ctx } from '#kernel/context.ts'
import { grow } from './hosts/store.ts'

/** On the bus when the desired state has changed; agents then fetch what is theirs. */
export const changedSubject = 'network.changed'

/** Call it in every transaction that changes what a host carries. The counter's row is written last of all. */
export async function changed(ctx: Ctx): Promise<void> {
  await ctx.beforeCommit('network.revision', async tx => {
    const revision = await grow(tx.db)
    tx.afterCommit(() => tx.bus.publish(changedSubject, { revision }))
  })
}
