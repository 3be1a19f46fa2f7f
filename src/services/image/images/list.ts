/** Lists the images that the caller may see. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { last, limitOf, linksOf, pageSize, type Query } from '../paging.ts'
import { getImages } from '../rules.ts'
import { imageAnswer } from './attributes.ts'
import { filtersOf, orderOf } from './filters.ts'
import { complete, seesAll, view, visibleImage } from './image.ts'
import { type ImageRow, selectImages } from './store.ts'

export const listImages = operation({
  id: 'image.images.list',
  method: 'GET',
  path: '/v2/images',
  summary: 'List images',
  policy: getImages,
  response: Type.Object({
    images: Type.Array(imageAnswer),
    first: Type.String(),
    next: Type.Optional(Type.String()),
    schema: Type.String(),
  }),
  async handle(ctx, request) {
    const query = request.query as Query
    const limit = limitOf(query) ?? pageSize
    const after = await markerOf(ctx, query)
    const found = await selectImages(ctx.db, {
      ...filtersOf(query),
      project: ctx.identity.project_id,
      seesAll: seesAll(ctx),
      order: orderOf(query),
      limit,
      after,
    })
    const page = await complete(ctx, found)
    const ids = found.map(row => row.id)
    return {
      images: page.map(image => view(ctx, image)) as never,
      ...linksOf('/v2/images', query, limit, ids),
      schema: '/v2/schemas/images',
    }
  },
})

/** The image after which the page begins. */
async function markerOf(ctx: Ctx, { marker }: Query): Promise<ImageRow | undefined> {
  const id = last(marker)
  if (id === undefined) return undefined
  return visibleImage(ctx, id).catch(cause => {
    throw new BadRequest(`Invalid marker. Image ${id} could not be found.`, { cause })
  })
}
