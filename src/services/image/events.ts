/** What is told of an image, in Glance's words and payloads. */
import { isoSeconds } from '#kernel/clock.ts'
import type { Ctx } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import type { Renderer } from '#kernel/events/notification.ts'
import { findImage, type Image, shownTime } from './images/image.ts'
import type { MemberRow } from './members/store.ts'

type Change = 'create' | 'prepare' | 'upload' | 'activate' | 'update' | 'delete'

/** Tells of an image as it is; of one that is gone, as it was. */
export async function tellImage(ctx: Ctx, change: Change, image: Image): Promise<void> {
  const facts = factsOf(image)
  const now = isoSeconds(ctx.clock.now())
  const gone = { ...facts, status: 'deleted', deleted: true, deleted_at: now }
  await ctx.events.emit(ctx, `image.${change}`, image.id, change === 'delete' ? gone : facts)
}

/** Tells each of the changes of an image that is in the database as it is now. */
export async function tellOf(ctx: Ctx, id: string, ...changes: Change[]): Promise<void> {
  const image = await findImage(ctx, id)
  if (image) for (const change of changes) await tellImage(ctx, change, image)
}

/** Tells that the bytes of an image, which has none now, were not taken, and why. */
export async function tellNoBytes(ctx: Ctx, id: string, error: unknown): Promise<void> {
  const image = await findImage(ctx, id)
  if (image) await ctx.events.emit(ctx, 'image.upload.error', id, { ...factsOf(image), message: messageOf(error) })
}

export const tellMember = (ctx: Ctx, change: 'create' | 'update' | 'delete', row: MemberRow) =>
  ctx.events.emit(ctx, `image.member.${change}`, row.image_id, {
    image_id: row.image_id,
    member_id: row.member_id,
    status: row.status,
    created_at: shownTime(row.created_at),
    updated_at: shownTime(row.updated_at),
    deleted: change === 'delete',
  })

const factsOf = (image: Image): Record<string, unknown> => ({
  id: image.id,
  name: image.name,
  status: image.status,
  owner: image.owner,
  visibility: image.visibility,
  is_public: image.visibility === 'public',
  protected: image.protected,
  os_hidden: image.os_hidden,
  disk_format: image.disk_format,
  container_format: image.container_format,
  size: image.size,
  virtual_size: image.virtual_size,
  checksum: image.checksum,
  min_disk: image.min_disk,
  min_ram: image.min_ram,
  properties: image.properties,
  tags: image.tags,
  created_at: shownTime(image.created_at),
  updated_at: shownTime(image.updated_at),
  deleted: false,
  deleted_at: null,
})

/** They read as they are: upstream's have no versions, and what fails is the same event with another priority. */
export const imageNotifications: Renderer = ({ type, payload }) =>
  type.startsWith('image.')
    ? [{ topic: 'notifications', publisher_id: 'image.api', event_type: type.replace(/\.error$/, ''), payload }]
    : undefined
