/** Caches what is queued, keeps the cache within its size and free of images that are gone. */
import { reconciler } from '#kernel/reconcile.ts'
import { cacheReconciler, cacheSize, clean, fillCache, nodeOf, prune } from './cache.ts'
import { cached } from './store.ts'

export const imageCache = reconciler({
  id: cacheReconciler,
  every: 300_000,
  everyNode: true,
  async run(ctx) {
    if (cacheSize(ctx) === 0) return
    const node = nodeOf(ctx)
    const byAge = [{ column: 'last_modified', direction: 'asc' } as const]
    for (const row of await cached.list(ctx.db, { node, state: 'queued' }, { orderBy: byAge }))
      await fillCache(ctx, row, id => ctx.services.image.openFromStore(ctx, id))
    await prune(ctx)
    if ((await cached.count(ctx.db, { node })) > 0) await clean(ctx)
  },
})
