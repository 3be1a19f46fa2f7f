/** Images for compute's API, which once led to them; each acts as the caller, by the policy of images. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Forbidden } from '#kernel/errors.ts'
import type { Rule } from '#kernel/policy/rule.ts'
import type { ImageInfo } from './contract.ts'
import { tellImage } from './events.ts'
import { filtersOf, orderOf } from './images/filters.ts'
import { complete, type ImageTarget, infoOf, seesAll, visibleImage, writeDetails } from './images/image.ts'
import { destroyImage } from './images/steps.ts'
import { images, selectImages } from './images/store.ts'
import type { Query } from './paging.ts'
import { deleteImage, getImages, modifyImage } from './rules.ts'

/** `filters` are those of the image API. */
export async function listImages(
  ctx: Ctx,
  filters: Query,
  page: { limit: number; marker: string | undefined },
): Promise<ImageInfo[]> {
  ctx.enforce(getImages)
  const marker = page.marker
  const after =
    marker === undefined
      ? undefined
      : await visibleImage(ctx, marker).catch(cause => {
          throw new BadRequest(`Invalid marker. Image ${marker} could not be found.`, { cause })
        })
  const found = await selectImages(ctx.db, {
    ...filtersOf(filters),
    project: ctx.identity.project_id,
    seesAll: seesAll(ctx),
    order: orderOf({}),
    limit: page.limit,
    after,
  })
  return (await complete(ctx, found)).map(infoOf)
}

async function loadFor(ctx: Ctx, guard: Rule, id: string): Promise<ImageTarget> {
  const image = await visibleImage(ctx, id)
  ctx.enforce(guard, image)
  return image
}

/** Deletes an image, if the caller may. */
export async function deleteImageOf(ctx: Ctx, id: string): Promise<void> {
  const image = await loadFor(ctx, deleteImage, id)
  if (image.protected) throw new Forbidden(`Image ${id} is protected and cannot be deleted.`)
  await destroyImage(ctx, image)
}

/** Makes an image's properties what `edit` makes of them; two callers never lose one another's. */
export async function editProperties(
  ctx: Ctx,
  id: string,
  edit: (properties: Record<string, string>) => Record<string, string>,
): Promise<Record<string, string>> {
  return ctx.transaction(async tx => {
    // Writing first locks the row until the end of the transaction.
    await images.update(tx.db, { id }, { updated_at: new Date(tx.clock.now()).toISOString() })
    const image = await loadFor(tx, modifyImage, id)
    const properties = edit({ ...image.properties })
    await writeDetails(tx, { ...image, properties })
    await tellImage(tx, 'update', { ...image, properties })
    return properties
  })
}
