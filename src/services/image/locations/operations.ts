/** Deletes the bytes of an image from one of the stores that hold them. */
import { Conflict, Forbidden, NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { noImage, visibleImage } from '../images/image.ts'
import { images } from '../images/store.ts'
import { deleteLocation, getLocation } from '../rules.ts'
import { storesOf } from '../stores.ts'
import { dropFile, locationsOf } from './location.ts'
import { locations } from './store.ts'

export const removeFromStore = operation({
  id: 'image.stores.delete_image',
  method: 'DELETE',
  path: '/v2/stores/{store_id}/{image_id}',
  summary: 'Delete the bytes of an image from one store',
  policy: deleteLocation,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { params: { store_id }, target }) {
    ctx.enforce(getLocation, target)
    if (!storesOf(ctx).find(store_id))
      throw new Conflict(`The selected store ${store_id} is not available on this node.`)
    await ctx.transaction(async tx => {
      const now = new Date(tx.clock.now()).toISOString()
      // Writing first locks the row until the end of the transaction.
      if ((await images.update(tx.db, { id: target.id }, { updated_at: now })) === 0) throw noImage(target.id)
      const image = await images.find(tx.db, { id: target.id })
      if (image?.status !== 'active')
        throw new Conflict("It's not allowed to remove image data from store if image status is not 'active'")
      const held = (await locationsOf(tx.db, [target.id])).get(target.id) ?? []
      const gone = held.find(location => location.store === store_id)
      if (held.length === 1)
        throw new Forbidden(
          'Cannot delete image data from the only store containing it. Consider deleting the image instead.',
        )
      if (!gone) throw new NotFound(`Image ${target.id} is not stored in store ${store_id}.`)
      await locations.remove(tx.db, { id: gone.id })
      if (gone.url === null && image.blob !== null) await dropFile(tx, image.blob, [store_id])
    })
    return undefined
  },
})
