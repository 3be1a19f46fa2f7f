/** A member of an image: a project that a shared image is shared with. */
import type { Ctx } from '#kernel/context.ts'
import { Forbidden, NotFound } from '#kernel/errors.ts'
import { Type } from '#kernel/schema/builders.ts'
import { type RowTarget, seesAll, shownTime, visibleRow } from '../images/image.ts'
import { type MemberRow, members } from './store.ts'

export const memberStatuses = ['pending', 'accepted', 'rejected']
export const maxMembers = 128

export const memberAnswer = Type.Object({
  member_id: Type.String(),
  image_id: Type.String(),
  status: Type.String(),
  created_at: Type.String(),
  updated_at: Type.String(),
  schema: Type.String(),
})

export function viewMember(row: MemberRow) {
  return {
    member_id: row.member_id,
    image_id: row.image_id,
    status: row.status,
    created_at: shownTime(row.created_at),
    updated_at: shownTime(row.updated_at),
    schema: '/v2/schemas/member',
  }
}

/** An image that may have members. To who wants to `show` one of another image, there is none. */
export async function sharedImage(ctx: Ctx, id: string, verb: 'create' | 'show' | 'list' | 'update' | 'delete') {
  const image = await visibleRow(ctx, id)
  if (image.visibility === 'shared') return image
  if (verb === 'show') throw new NotFound('Only shared images have members.')
  throw new Forbidden(`Not allowed to ${verb} members for image ${id}: Only shared images have members.`)
}

/** Whether the caller sees all members of the image and not just itself. */
export function ownsImage(ctx: Ctx, image: RowTarget): boolean {
  return seesAll(ctx) || (image.owner !== null && image.owner === ctx.identity.project_id)
}

export async function memberOf(ctx: Ctx, image: RowTarget, member_id: string): Promise<MemberRow> {
  const mine = ownsImage(ctx, image) || member_id === ctx.identity.project_id
  const row = mine ? await members.find(ctx.db, { image_id: image.id, member_id }) : undefined
  if (!row) throw new NotFound(`${member_id} not found in the member list of the image ${image.id}.`)
  return row
}
