/** Tags: short words on any resource, with operations of their own. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import type { Resource } from '#kernel/resource.ts'
import { checkedValue, standardAttributes } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { type StandardRow, touch } from '#kernel/standard-row.ts'

const tagsBody = Type.Object({ tags: Type.Unknown() })
const tags = Type.Object({ tags: Type.Array(Type.String()) })

/** The seven operations on a resource's tags. */
export function tagOperations<Row extends StandardRow>(resource: Resource<Row>): Operation[] {
  const { spec, rules } = resource
  const path = `${spec.path}/{id}/tags` as const
  const id = (verb: string) => `network.${spec.collection}.${verb}`
  const of = `of one of ${spec.collection.replaceAll('_', ' ')}`

  async function change(ctx: Ctx, rowId: string, make: (had: string[]) => string[]): Promise<string[]> {
    return ctx.transaction(async tx => {
      const row = await resource.loadFor(tx, rules.update, rowId)
      const tags = checkedValue('tags', standardAttributes.tags!, make(row.tags)) as string[]
      await touch(tx, spec.store, row, { tags } as Partial<Row>)
      return tags
    })
  }
  const checked = (sent: unknown) => checkedValue('tags', standardAttributes.tags!, sent) as string[]
  const notThere = (tag: string) => new NotFound(`Tag ${tag} could not be found.`, { type: 'TagNotFound' })

  const list = operation({
    id: id('list_tags'),
    method: 'GET',
    path,
    summary: `List tags ${of}`,
    policy: 'authenticated',
    response: tags,
    handle: async (ctx, { params }) => ({ tags: (await resource.load(ctx, params.id)).tags }),
  })
  const replace = operation({
    id: id('replace_tags'),
    method: 'PUT',
    path,
    summary: `Replace tags ${of}`,
    policy: 'authenticated',
    request: tagsBody,
    takes: tags,
    response: tags,
    handle: async (ctx, { params, body }) => ({ tags: await change(ctx, params.id, () => checked(body.tags)) }),
  })
  const add = operation({
    id: id('create_tags'),
    method: 'POST',
    path,
    summary: `Add tags ${of}`,
    policy: 'authenticated',
    request: tagsBody,
    takes: tags,
    response: tags,
    status: 200,
    handle: async (ctx, { params, body }) => ({
      tags: await change(ctx, params.id, had => [...new Set([...had, ...checked(body.tags)])]),
    }),
  })
  const clear = operation({
    id: id('delete_tags'),
    method: 'DELETE',
    path,
    summary: `Remove all tags ${of}`,
    policy: 'authenticated',
    async handle(ctx, { params }) {
      await change(ctx, params.id, () => [])
      return reply(undefined, { status: 204 })
    },
  })
  const confirm = operation({
    id: id('confirm_tag'),
    method: 'GET',
    path: `${path}/{tag}`,
    summary: `Confirm a tag ${of}`,
    policy: 'authenticated',
    status: 204,
    async handle(ctx, { params }) {
      if (!(await resource.load(ctx, params.id)).tags.includes(params.tag)) throw notThere(params.tag)
      return reply(undefined, { status: 204 })
    },
  })
  const put = operation({
    id: id('add_tag'),
    method: 'PUT',
    path: `${path}/{tag}`,
    summary: `Add a tag ${of}`,
    policy: 'authenticated',
    takes: 'nothing',
    status: 201,
    async handle(ctx, { params }) {
      await change(ctx, params.id, had => [...new Set([...had, params.tag])])
      return reply(undefined, { status: 201 })
    },
  })
  const remove = operation({
    id: id('remove_tag'),
    method: 'DELETE',
    path: `${path}/{tag}`,
    summary: `Remove a tag ${of}`,
    policy: 'authenticated',
    async handle(ctx, { params }) {
      await change(ctx, params.id, had => {
        if (!had.includes(params.tag)) throw notThere(params.tag)
        return had.filter(tag => tag !== params.tag)
      })
      return reply(undefined, { status: 204 })
    },
  })
  return [list, replace, add, clear, confirm, put, remove]
}
