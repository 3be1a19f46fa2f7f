/** Forgets maintenances that were over long ago. */
import { keptSince } from '#kernel/housekeeping.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { hosts } from '../../hosts/store.ts'
import { nameOf } from './maintenance.ts'
import { forgetMaintenance, maintenances } from './store.ts'

const oldest = { orderBy: [{ column: 'created_at' as const, direction: 'asc' as const }] }

/** Those stay that say why a host is closed, and what a resume of it would bring back. */
export const oldMaintenances = reconciler({
  id: 'compute.old-maintenances',
  every: 3_600_000,
  async run(ctx) {
    // A suspension goes before the resume that has ended it.
    const old = await maintenances.pick(
      ctx.db,
      ['id', 'kind', 'host', 'created_at'],
      { ended_at: { op: '<', value: keptSince(ctx) } },
      oldest,
    )
    if (old.length === 0) return
    const closedFor = new Set((await hosts.pick(ctx.db, ['disabled_reason'])).map(host => host.disabled_reason))
    for (const { id, kind, host, created_at } of old) {
      const after = { host, kind: 'resume', state: 'done', created_at: { op: '>', value: created_at } } as const
      const isNeeded = closedFor.has(nameOf(id)) || (kind === 'suspend' && !(await maintenances.find(ctx.db, after)))
      if (!isNeeded) await ctx.transaction(tx => forgetMaintenance(tx, id))
    }
  },
})
