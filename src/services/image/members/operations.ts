/** Share an image with projects: add, list, show and remove members; a member accepts or rejects. */
import { lock, UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Conflict, OverQuota } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { tellMember } from '../events.ts'
import { addMember, deleteMember, getMember, getMembers, modifyMember } from '../rules.ts'
import { maxMembers, memberAnswer, memberOf, memberStatuses, ownsImage, sharedImage, viewMember } from './member.ts'
import { members } from './store.ts'

export const listMembers = operation({
  id: 'image.members.list',
  method: 'GET',
  path: '/v2/images/{image_id}/members',
  summary: 'List the members of an image',
  policy: getMembers,
  response: Type.Object({ members: Type.Array(memberAnswer), schema: Type.String() }),
  load: (ctx, { params }) => sharedImage(ctx, params.image_id, 'list'),
  async handle(ctx, { target }) {
    const found = await members.list(
      ctx.db,
      { image_id: target.id, member_id: ownsImage(ctx, target) ? undefined : (ctx.identity.project_id ?? '') },
      {
        orderBy: [
          { column: 'created_at', direction: 'asc' },
          { column: 'member_id', direction: 'asc' },
        ],
      },
    )
    return { members: found.map(viewMember), schema: '/v2/schemas/members' }
  },
})

export const showMember = operation({
  id: 'image.members.show',
  method: 'GET',
  path: '/v2/images/{image_id}/members/{member_id}',
  summary: 'Show a member of an image',
  policy: getMember,
  response: memberAnswer,
  load: (ctx, { params }) => sharedImage(ctx, params.image_id, 'show'),
  handle: async (ctx, { params, target }) => viewMember(await memberOf(ctx, target, params.member_id)),
})

/** The text that a body must have under a name. */
function wordOf(body: unknown, name: string): string {
  const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined
  if (typeof value !== 'string') throw new BadRequest(`Expected a ${name} in the request body, as text.`)
  return value
}

export const createMember = operation({
  id: 'image.members.create',
  method: 'POST',
  path: '/v2/images/{image_id}/members',
  summary: 'Share an image with a project',
  policy: addMember,
  takes: Type.Object({ member: Type.String() }),
  response: memberAnswer,
  load: (ctx, { params }) => sharedImage(ctx, params.image_id, 'create'),
  async handle(ctx, { target: image, body }) {
    const member_id = wordOf(body, 'member')
    if (member_id === '') throw new BadRequest("Member can't be empty")
    if (member_id.length > 255) throw new BadRequest('Member cannot be longer than 255 characters')
    const now = new Date(ctx.clock.now()).toISOString()
    const row = { image_id: image.id, member_id, status: 'pending', created_at: now, updated_at: now }
    await ctx.transaction(async tx => {
      await lock(tx.db, tx.database.engine, `image/members/${image.id}`)
      const attempted = (await members.count(tx.db, { image_id: image.id })) + 1
      if (attempted > maxMembers)
        throw new OverQuota(
          `The limit has been exceeded on the number of allowed image members for this image. Attempted: ${attempted}, Maximum: ${maxMembers}`,
          { status: 413 },
        )
      await members.insert(tx.db, row).catch(error => {
        if (!(error instanceof UniqueViolation)) throw error
        throw new Conflict(`Member ${member_id} is duplicated for image ${image.id}`)
      })
      await tellMember(tx, 'create', row)
    })
    return viewMember(row)
  },
})

export const updateMember = operation({
  id: 'image.members.update',
  method: 'PUT',
  path: '/v2/images/{image_id}/members/{member_id}',
  summary: 'Accept or reject an image that is shared',
  policy: modifyMember,
  takes: Type.Object({ status: Type.String() }),
  response: memberAnswer,
  load: (ctx, { params }) => sharedImage(ctx, params.image_id, 'update'),
  async handle(ctx, { params, target, body }) {
    const status = wordOf(body, 'status')
    if (!memberStatuses.includes(status))
      throw new BadRequest('Incorrect request: Status must be "pending", "accepted" or "rejected".')
    const row = await memberOf(ctx, target, params.member_id)
    const change = { status, updated_at: new Date(ctx.clock.now()).toISOString() }
    await ctx.transaction(async tx => {
      await members.update(tx.db, { image_id: row.image_id, member_id: row.member_id }, change)
      await tellMember(tx, 'update', { ...row, ...change })
    })
    return viewMember({ ...row, ...change })
  },
})

export const removeMember = operation({
  id: 'image.members.delete',
  method: 'DELETE',
  path: '/v2/images/{image_id}/members/{member_id}',
  summary: 'Stop sharing an image with a project',
  policy: deleteMember,
  load: (ctx, { params }) => sharedImage(ctx, params.image_id, 'delete'),
  async handle(ctx, { params, target }) {
    const row = await memberOf(ctx, target, params.member_id)
    await ctx.transaction(async tx => {
      await members.remove(tx.db, { image_id: row.image_id, member_id: row.member_id })
      await tellMember(tx, 'delete', row)
    })
    return undefined
  },
})
