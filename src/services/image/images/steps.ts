/** What other parts of the service do with images: delete one with all that hangs on it. */
import type { Ctx } from '#kernel/context.ts'
import { archive } from '#kernel/db/archive.ts'
import { NotFound } from '#kernel/errors.ts'
import { dropFile } from '../locations/location.ts'
import { locations } from '../locations/store.ts'
import { members } from '../members/store.ts'
import { stagingStore } from '../stores.ts'
import type { Image } from './image.ts'
import { images, properties, tags } from './store.ts'

/** Removes an image with its bytes. An upload that is under way finds it gone and cleans up after itself. */
export async function destroyImage(ctx: Ctx, image: Image): Promise<void> {
  await ctx.transaction(async tx => {
    const row = await images.find(tx.db, { id: image.id })
    if (!row || (await images.remove(tx.db, { id: image.id })) === 0)
      throw new NotFound(`Failed to find image ${image.id} to delete`)
    await properties.remove(tx.db, { image_id: image.id })
    await tags.remove(tx.db, { image_id: image.id })
    await members.remove(tx.db, { image_id: image.id })
    await archive(tx, images.table, image.id, { ...image, ...row })
    const { blob } = row
    const held = await locations.list(tx.db, { image_id: image.id })
    await locations.remove(tx.db, { image_id: image.id })
    if (blob) await dropFile(tx, blob, [...held.map(location => location.store), stagingStore])
  })
}
