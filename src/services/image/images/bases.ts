/** Images that hold only what changed since another: what they stand on. That it stays as long as they do is seen to where images go (steps.ts). */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import { findImage, hasBytes, type Image } from './image.ts'
import { images } from './store.ts'

/** More than any chain of backups has; a loop could only come of a damaged database. */
const longest = 256

/** Whether an image that is active stands on this one, be it on others that are not. */
export async function isBase(ctx: Pick<Ctx, 'db'>, id: string): Promise<boolean> {
  let under = [id]
  for (let length = 0; under.length > 0 && length < longest; length++) {
    const above = await images.pick(ctx.db, ['id', 'status'], { base_image_id: under })
    if (above.some(({ status }) => status === 'active')) return true
    under = above.map(image => image.id)
  }
  return false
}

/** What an image stands on, the nearest first. Throws 409 when that is not whole. */
export async function basesOf(ctx: Ctx, image: Pick<Image, 'base_image_id'>): Promise<Image[]> {
  const found: Image[] = []
  for (let id = image.base_image_id; id !== null; ) {
    const base = await findImage(ctx, id)
    if (!base || !hasBytes(base) || found.length === longest)
      throw new Conflict(`Image ${id} is not there: what holds only the changes to it is no disk.`)
    found.push(base)
    id = base.base_image_id
  }
  return found
}
