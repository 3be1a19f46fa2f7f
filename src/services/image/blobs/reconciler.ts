/** Keeps the files and the rows together: files of no image go, and uploads that died are queued again. */
import { join } from 'node:path'
import { reconciler } from '#kernel/reconcile.ts'
import { imageConfig } from '../config.ts'
import { images, noBytes } from '../images/store.ts'
import { blobsOf, listBlobs, removeBlob } from './blob.ts'

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
    const blobs = blobsOf(ctx)
    const directory = await blobs.directory()
    let removed = 0
    for (const { name, modified } of await listBlobs(directory)) {
      const whole = name.replace(/\.part$/, '')
      // A file is written before its row is, so a young one may not have its row yet.
      if (!ours.test(name) || blobs.busy.has(whole) || modified > before) continue
      if ((await images.count(ctx.db, { blob: whole })) > 0) continue
      await removeBlob(join(directory, name))
      removed++
    }
    if (died + removed > 0) ctx.log.info({ died, removed }, 'cleaned up after interrupted uploads')
  },
})
