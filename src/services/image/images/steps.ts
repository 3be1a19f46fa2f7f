/** What other parts of the service do with images: delete one with all that hangs on it, unless another stands on it. */
import type { Ctx } from '#kernel/context.ts'
import { archive } from '#kernel/db/archive.ts'
import { lock } from '#kernel/db/database.ts'
import { Conflict, NotFound } from '#kernel/errors.ts'
import { tellImage } from '../events.ts'
import { dropFile } from '../locations/location.ts'
import { locations } from '../locations/store.ts'
import { members } from '../members/store.ts'
import { stagingStore } from '../stores.ts'
import type { Image } from './image.ts'
import { images, properties, tags } from './store.ts'

/** Removes an image with its bytes; throws 409 while another stands on it. An upload that is under way finds it gone and cleans up after itself. */
export async function destroyImage(ctx: Ctx, image: Image): Promise<void> {
  await ctx.transaction(async tx => {
    await refuseBase(tx, image.id)
    const row = await images.find(tx.db, { id: image.id })
    if (!row || (await images.remove(tx.db, { id: image.id })) === 0)
      throw new NotFound(`Failed to find image ${image.id} to delete`)
    await properties.remove(tx.db, { image_id: image.id })
    await tags.remove(tx.db, { image_id: image.id })
    await members.remove(tx.db, { image_id: image.id })
    await archive(tx, images.table, image.id, { ...image, ...row })
    await tellImage(tx, 'delete', { ...image, ...row })
    const { blob } = row
    const held = await locations.list(tx.db, { image_id: image.id })
    await locations.remove(tx.db, { image_id: image.id })
    if (blob) await dropFile(tx, blob, [...held.map(location => location.store), stagingStore])
  })
}

/** Whoever gives an image a base, and whoever deletes one, waits for the other. */
const hold = (ctx: Ctx, id: string) => lock(ctx.db, ctx.database.engine, `image/base/${id}`)

/** Keeps an image from being deleted until the end of the transaction, in which another is written that stands on it. Throws 409 when it cannot be a base. */
export async function holdBase(ctx: Ctx, id: string): Promise<void> {
  await hold(ctx, id)
  const base = await images.find(ctx.db, { id })
  if (base?.status !== 'active') throw new Conflict(`Image ${id} is not active: nothing can be the changes to it.`)
}

/** In the transaction that deletes the image. Throws 409 while another stands on it. */
async function refuseBase(ctx: Ctx, id: string): Promise<void> {
  await hold(ctx, id)
  const children = await images.list(ctx.db, { base_image_id: id }, { limit: 1 })
  if (children[0] === undefined) return
  throw new Conflict(
    `Image ${id} could not be deleted because it is in use: image ${children[0].id} holds only what changed since it. Delete that one first.`,
  )
}
