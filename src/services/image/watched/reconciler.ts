/** Makes images of the files in watched folders. */
import { messageOf } from '#kernel/errors.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { storesOf } from '../stores.ts'
import { look } from '../watched-folder.ts'

export const watchedFolders = reconciler({
  id: 'image.watched-folders',
  every: 15_000,
  async run(ctx) {
    for (const { id, type } of storesOf(ctx).list)
      if (type === 'watched')
        await look(ctx, id).catch(error =>
          ctx.log.warn({ store: id, err: messageOf(error) }, 'a watched folder could not be looked at'),
        )
  },
})
