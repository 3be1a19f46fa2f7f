/** Tags of metadata definitions: words that a namespace offers. */
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import type { Query } from '../paging.ts'
import { tagListSchema, tagSchema } from './documents.ts'
import {
  addPart,
  changePart,
  checkedBody,
  loadNamespace,
  pageOfParts,
  partOf,
  removePart,
  shownTimes,
} from './metadef.ts'
import { addTag, addTags, deleteTag, getTag, getTags, modifyTag } from './rules.ts'
import { type PartRow, parts } from './store.ts'

const readOnly = ['created_at', 'updated_at']
const answer = Type.Object({ name: Type.String(), created_at: Type.String(), updated_at: Type.String() })
const list = Type.Object({ tags: Type.Array(Type.Object({ name: Type.String() })) })

const view = (row: PartRow) => ({ name: row.name, ...shownTimes(row) })

export const listTags = operation({
  id: 'image.metadef_tags.list',
  method: 'GET',
  path: '/v2/metadefs/namespaces/{namespace_name}/tags',
  summary: 'List the tags of a namespace',
  policy: getTags,
  response: list,
  load: loadNamespace,
  async handle(ctx, { target, query }) {
    const found = await pageOfParts(ctx, target, 'tag', query as Query)
    return { tags: found.map(({ name }) => ({ name })) }
  },
})

export const createTags = operation({
  id: 'image.metadef_tags.create_many',
  method: 'POST',
  path: '/v2/metadefs/namespaces/{namespace_name}/tags',
  summary: 'Give a namespace new tags, in place of those it has or beside them',
  policy: addTags,
  takes: tagListSchema,
  response: list,
  load: loadNamespace,
  async handle(ctx, { target, body, headers }) {
    const { tags } = checkedBody('tags', tagListSchema, body, readOnly) as { tags: { name: string }[] }
    const beside = /^(true|1|yes|on|y|t)$/i.test(headers['x-openstack-append'] ?? '')
    await ctx.transaction(async tx => {
      if (!beside && tags.length > 0) await parts.remove(tx.db, { namespace_id: target.id, kind: 'tag' })
      for (const { name } of tags) await addPart(tx, target, 'tag', name, {})
    })
    return reply({ tags }, { status: 201 })
  },
})

export const createTag = operation({
  id: 'image.metadef_tags.create',
  method: 'POST',
  path: '/v2/metadefs/namespaces/{namespace_name}/tags/{tag_name}',
  summary: 'Add a tag to a namespace',
  policy: addTag,
  takes: 'nothing',
  response: answer,
  load: loadNamespace,
  async handle(ctx, { params, target }) {
    const { name } = checkedBody('tag', tagSchema, { name: params.tag_name }, readOnly)
    return reply(view(await addPart(ctx, target, 'tag', name as string, {})), { status: 201 })
  },
})

export const showTag = operation({
  id: 'image.metadef_tags.show',
  method: 'GET',
  path: '/v2/metadefs/namespaces/{namespace_name}/tags/{tag_name}',
  summary: 'Show a tag of a namespace',
  policy: getTag,
  response: answer,
  load: loadNamespace,
  handle: async (ctx, { params, target }) => view(await partOf(ctx, target, 'tag', params.tag_name)),
})

export const updateTag = operation({
  id: 'image.metadef_tags.update',
  method: 'PUT',
  path: '/v2/metadefs/namespaces/{namespace_name}/tags/{tag_name}',
  summary: 'Rename a tag of a namespace',
  policy: modifyTag,
  takes: tagSchema,
  response: answer,
  load: loadNamespace,
  async handle(ctx, { params, target, body }) {
    const { name } = checkedBody('tag', tagSchema, body, readOnly)
    return view(await changePart(ctx, target, 'tag', params.tag_name, { name }))
  },
})

export const removeTag = operation({
  id: 'image.metadef_tags.delete',
  method: 'DELETE',
  path: '/v2/metadefs/namespaces/{namespace_name}/tags/{tag_name}',
  summary: 'Delete a tag of a namespace',
  policy: deleteTag,
  load: loadNamespace,
  handle: (ctx, { params, target }) => removePart(ctx, target, 'tag', params.tag_name),
})
