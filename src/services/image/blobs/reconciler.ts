/** Keeps the files and the rows together: files of no image go, and uploads that died are queued again. */
import type { Ctx } from '#kernel/context.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { imageConfig } from '../config.ts'
import { images, noBytes, properties } from '../images/store.ts'
import { locations, scrubs } from '../locations/store.ts'
import { storesOf } from '../stores.ts'
import { taskProperty } from './progress.ts'

const ours = /^[0-9a-f-]{36}\.[0-9a-f]{8}(\.part)?$/

export const orphanFiles = reconciler({
  id: 'image.orphan-files',
  every: 60_000,
  async run(ctx) {
    const stale = ctx.config.of(imageConfig).stale_upload_seconds * 1000
    const before = ctx.clock.now() - stale
    const died = await images.update(
      ctx.db,
      { status: ['saving', 'uploading', 'importing'], alive_at: { op: '<', value: new Date(before).toISOString() } },
      { ...noBytes, status: 'queued', alive_at: null },
    )
    await scrubs.remove(ctx.db, { due_at: { op: '<=', value: new Date(ctx.clock.now()).toISOString() } })
    let removed = 0
    for (const { id } of storesOf(ctx).writable)
      removed += await removeOrphans(ctx, id, before).catch(error => {
        ctx.log.warn({ err: error, store: id }, 'an image store could not be cleaned up')
        return 0
      })
    if (died + removed > 0) ctx.log.info({ died, removed }, 'cleaned up after interrupted uploads')
  },
})

async function removeOrphans(ctx: Ctx, store: string, before: number): Promise<number> {
  const { busy, open } = storesOf(ctx)
  const blobs = await open(store)
  let removed = 0
  for (const { name, modified } of await blobs.list()) {
    const blob = name.replace(/\.part$/, '')
    // A file is written before its row is, so a young one may not have its row yet.
    if (!ours.test(name) || busy.has(blob) || modified > before) continue
    if (await isWanted(ctx, blob, store)) continue
    await blobs.remove(name)
    removed++
  }
  return removed
}

/** Whether an image has its bytes in the file, or something is under way with it. */
async function isWanted(ctx: Ctx, blob: string, store: string): Promise<boolean> {
  if ((await scrubs.count(ctx.db, { blob, store })) > 0) return true
  const image = await images.find(ctx.db, { blob })
  if (!image) return false
  if (image.status !== 'active' && image.status !== 'deactivated') return true
  if ((await properties.count(ctx.db, { image_id: image.id, name: taskProperty })) > 0) return true
  return (await locations.count(ctx.db, { image_id: image.id, store })) > 0
}
