/** What an image that holds only changes stands on, as hosts are told of it. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import type { ImageInfo } from '../image/contract.ts'
import type { StoredBytes } from './drivers/driver.ts'

/** The nearest first. Throws 400 for what a host could not check. */
export async function storedBases(ctx: Ctx, image: Pick<ImageInfo, 'base_image_id'>): Promise<StoredBytes[]> {
  const bases = await ctx.services.image.basesOf(ctx, image)
  return bases.map(({ id, size, os_hash_algo, os_hash_value }) => {
    if (size === null || os_hash_algo === null || os_hash_value === null)
      throw new BadRequest(`Image ${id} is unacceptable: nobody knows the digest of its bytes`)
    return { id, size, hash_algo: os_hash_algo, hash_value: os_hash_value }
  })
}
