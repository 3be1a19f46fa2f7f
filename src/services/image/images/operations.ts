/** Show, delete, deactivate and reactivate an image; its tags. */
import { join } from 'node:path'
import type { Ctx } from '#kernel/context.ts'
import { archive } from '#kernel/db/archive.ts'
import { BadRequest, Forbidden, NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { blobsOf, removeBlob } from '../blobs/blob.ts'
import { members } from '../members/store.ts'
import { deactivate, deleteImage, getImage, modifyImage, reactivate } from '../rules.ts'
import { imageAnswer } from './attributes.ts'
import { checkLimit, complete, type Image, type ImageTarget, maxTags, noImage, view, visibleImage } from './image.ts'
import { addTag, images, properties, tags } from './store.ts'

export const showImage = operation({
  id: 'image.images.show',
  method: 'GET',
  path: '/v2/images/{image_id}',
  summary: 'Show an image',
  policy: getImage,
  response: imageAnswer,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  handle: async (_ctx, { target }) => view(target) as never,
})

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
    if (blob) tx.afterCommit(() => void removeFile(tx, blob))
  })
}

/** The reconciler takes it up when this fails. */
export async function removeFile(ctx: Ctx, blob: string): Promise<void> {
  try {
    await removeBlob(join(await blobsOf(ctx).directory(), blob))
  } catch (error) {
    ctx.log.warn({ err: error, blob }, 'the file of a deleted image is still there')
  }
}

export const removeImage = operation({
  id: 'image.images.delete',
  method: 'DELETE',
  path: '/v2/images/{image_id}',
  summary: 'Delete an image',
  policy: deleteImage,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { target }) {
    if (target.protected) throw new Forbidden(`Image ${target.id} is protected and cannot be deleted.`)
    await destroyImage(ctx, target)
    return undefined
  },
})

async function turn(ctx: Ctx, { id, status }: ImageTarget, verb: string, from: string, to: string): Promise<undefined> {
  if (status === to) return undefined
  const now = new Date(ctx.clock.now()).toISOString()
  if ((await images.update(ctx.db, { id, status: from }, { status: to, updated_at: now })) === 0)
    throw new Forbidden(`Not allowed to ${verb} image in status '${status}'`)
  return undefined
}

export const deactivateImage = operation({
  id: 'image.images.deactivate',
  method: 'POST',
  path: '/v2/images/{image_id}/actions/deactivate',
  summary: 'Deactivate an image',
  policy: deactivate,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  handle: (ctx, { target }) => turn(ctx, target, 'deactivate', 'active', 'deactivated'),
})

export const reactivateImage = operation({
  id: 'image.images.reactivate',
  method: 'POST',
  path: '/v2/images/{image_id}/actions/reactivate',
  summary: 'Reactivate an image',
  policy: reactivate,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  handle: (ctx, { target }) => turn(ctx, target, 'reactivate', 'deactivated', 'active'),
})

export const addImageTag = operation({
  id: 'image.tags.add',
  method: 'PUT',
  path: '/v2/images/{image_id}/tags/{tag}',
  summary: 'Add a tag to an image',
  policy: modifyImage,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { params: { image_id, tag }, target }) {
    if (tag.length > 255) throw new BadRequest('Tag cannot be longer than 255 characters')
    if (target.tags.includes(tag)) return undefined
    await ctx.transaction(async tx => {
      await touch(tx, image_id)
      checkLimit('image tags', (await tags.count(tx.db, { image_id })) + 1, maxTags)
      await addTag(tx.db, image_id, tag)
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
    })
    return undefined
  },
})

async function touch(ctx: Ctx, id: string): Promise<void> {
  const now = new Date(ctx.clock.now()).toISOString()
  if ((await images.update(ctx.db, { id }, { updated_at: now })) === 0) throw noImage(id)
}

/** An image of the caller by id, for the other parts of the service. */
export async function find(ctx: Ctx, id: string): Promise<Image | undefined> {
  const row = await images.find(ctx.db, { id })
  return row && (await complete(ctx, [row]))[0]
}
