/** Show, delete, deactivate and reactivate an image; its tags. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Forbidden, NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { tellOf } from '../events.ts'
import { deactivate, deleteImage, getImage, modifyImage, reactivate } from '../rules.ts'
import { imageAnswer } from './attributes.ts'
import { checkLimit, type ImageTarget, maxTags, noImage, view, visibleImage } from './image.ts'
import { destroyImage } from './steps.ts'
import { addTag, images, tags } from './store.ts'

export const showImage = operation({
  id: 'image.images.show',
  method: 'GET',
  path: '/v2/images/{image_id}',
  summary: 'Show an image',
  policy: getImage,
  response: imageAnswer,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  handle: async (ctx, { target }) => view(ctx, target) as never,
})

export const removeImage = operation({
  id: 'image.images.delete',
  method: 'DELETE',
  path: '/v2/images/{image_id}',
  summary: 'Delete an image',
  policy: deleteImage,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { target }) {
    if (target.protected) throw new Forbidden(`Image ${target.id} is protected and cannot be deleted.`)
    await ctx.transaction(async tx => {
      await destroyImage(tx, target)
      // What is under way with it makes way.
      await tx.sagas.cancel(tx, target.id)
    })
    return undefined
  },
})

async function turn(ctx: Ctx, { id, status }: ImageTarget, verb: string, from: string, to: string): Promise<undefined> {
  if (status === to) return undefined
  const now = new Date(ctx.clock.now()).toISOString()
  await ctx.transaction(async tx => {
    if ((await images.update(tx.db, { id, status: from }, { status: to, updated_at: now })) === 0)
      throw new Forbidden(`Not allowed to ${verb} image in status '${status}'`)
    await tellOf(tx, id, 'update')
  })
  return undefined
}

export const deactivateImage = operation({
  id: 'image.images.deactivate',
  method: 'POST',
  path: '/v2/images/{image_id}/actions/deactivate',
  summary: 'Deactivate an image',
  policy: deactivate,
  takes: 'nothing',
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  handle: (ctx, { target }) => turn(ctx, target, 'deactivate', 'active', 'deactivated'),
})

export const reactivateImage = operation({
  id: 'image.images.reactivate',
  method: 'POST',
  path: '/v2/images/{image_id}/actions/reactivate',
  summary: 'Reactivate an image',
  policy: reactivate,
  takes: 'nothing',
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  handle: (ctx, { target }) => turn(ctx, target, 'reactivate', 'deactivated', 'active'),
})

export const addImageTag = operation({
  id: 'image.tags.add',
  method: 'PUT',
  path: '/v2/images/{image_id}/tags/{tag}',
  summary: 'Add a tag to an image',
  policy: modifyImage,
  takes: 'nothing',
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { params: { image_id, tag }, target }) {
    if (tag.length > 255) throw new BadRequest('Tag cannot be longer than 255 characters')
    if (target.tags.includes(tag)) return undefined
    await ctx.transaction(async tx => {
      await touch(tx, image_id)
      checkLimit('image tags', (await tags.count(tx.db, { image_id })) + 1, maxTags)
      await addTag(tx.db, image_id, tag)
      await tellOf(tx, image_id, 'update')
    })
    return undefined
  },
})

export const removeImageTag = operation({
  id: 'image.tags.delete',
  method: 'DELETE',
  path: '/v2/images/{image_id}/tags/{tag}',
  summary: 'Delete a tag of an image',
  policy: modifyImage,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { params: { image_id, tag } }) {
    await ctx.transaction(async tx => {
      await touch(tx, image_id)
      if ((await tags.remove(tx.db, { image_id, tag })) === 0) throw new NotFound('The tag was not found.')
      await tellOf(tx, image_id, 'update')
    })
    return undefined
  },
})

async function touch(ctx: Ctx, id: string): Promise<void> {
  const now = new Date(ctx.clock.now()).toISOString()
  if ((await images.update(ctx.db, { id }, { updated_at: now })) === 0) throw noImage(id)
}
