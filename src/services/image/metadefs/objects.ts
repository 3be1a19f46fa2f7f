/** Objects of metadata definitions: groups of properties that belong together. */
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { objectSchema } from './documents.ts'
import {
  addPart,
  type Body,
  changePart,
  checkedBody,
  loadNamespace,
  partOf,
  removePart,
  shownProperties,
  shownTimes,
} from './metadef.ts'
import { last, limitOf, orderOf, type Query } from './query.ts'
import { addObject, deleteObject, getObject, getObjects, modifyObject } from './rules.ts'
import { type PartRow, parts } from './store.ts'

const readOnly = ['self', 'schema', 'created_at', 'updated_at']
const answer = Type.Object({ name: Type.String(), self: Type.String() })

export function viewObject(namespace: string, row: PartRow) {
  const { description, required, properties } = row.body as {
    description?: string
    required?: string[]
    properties?: Record<string, Body>
  }
  return {
    name: row.name,
    ...(required && { required }),
    ...(description !== undefined && { description }),
    ...(properties && { properties: shownProperties(properties) }),
    ...shownTimes(row),
    self: `/v2/metadefs/namespaces/${namespace}/objects/${row.name}`,
    schema: '/v2/schemas/metadefs/object',
  }
}

export const listObjects = operation({
  id: 'image.metadef_objects.list',
  method: 'GET',
  path: '/v2/metadefs/namespaces/{namespace_name}/objects',
  summary: 'List the objects of a namespace',
  policy: getObjects,
  response: Type.Object({ objects: Type.Array(answer), schema: Type.String() }),
  load: loadNamespace,
  async handle(ctx, request) {
    const { target } = request
    const query = request.query as Query
    const [limit, marker] = [limitOf(query), last(query.marker)]
    const found = await parts.list(
      ctx.db,
      { namespace_id: target.id, kind: 'object' },
      {
        orderBy: orderOf(query, ['created_at', 'id', 'name', 'updated_at'] as const),
        ...(limit !== undefined && { limit }),
        ...(marker && { after: await partOf(ctx, target, 'object', marker) }),
      },
    )
    const seen = ctx.can(getObject, target) ? found : []
    return { objects: seen.map(row => viewObject(target.namespace, row)), schema: 'v2/schemas/metadefs/objects' }
  },
})

export const createObject = operation({
  id: 'image.metadef_objects.create',
  method: 'POST',
  path: '/v2/metadefs/namespaces/{namespace_name}/objects',
  summary: 'Add an object to a namespace',
  policy: addObject,
  response: answer,
  load: loadNamespace,
  async handle(ctx, { target, body }) {
    const { name, ...rest } = checkedBody('object', objectSchema, body, readOnly)
    const row = await addPart(ctx, target, 'object', name as string, rest)
    return reply(viewObject(target.namespace, row), { status: 201 })
  },
})

export const showObject = operation({
  id: 'image.metadef_objects.show',
  method: 'GET',
  path: '/v2/metadefs/namespaces/{namespace_name}/objects/{object_name}',
  summary: 'Show an object of a namespace',
  policy: getObject,
  response: answer,
  load: loadNamespace,
  handle: async (ctx, { params, target }) =>
    viewObject(target.namespace, await partOf(ctx, target, 'object', params.object_name)),
})

export const updateObject = operation({
  id: 'image.metadef_objects.update',
  method: 'PUT',
  path: '/v2/metadefs/namespaces/{namespace_name}/objects/{object_name}',
  summary: 'Change an object of a namespace',
  policy: modifyObject,
  response: answer,
  load: loadNamespace,
  async handle(ctx, { params, target, body }) {
    const { name, ...rest } = checkedBody('object', objectSchema, body, readOnly)
    const row = await partOf(ctx, target, 'object', params.object_name)
    return viewObject(target.namespace, await changePart(ctx, target, row, name as string, rest))
  },
})

export const removeObject = operation({
  id: 'image.metadef_objects.delete',
  method: 'DELETE',
  path: '/v2/metadefs/namespaces/{namespace_name}/objects/{object_name}',
  summary: 'Delete an object of a namespace',
  policy: deleteObject,
  load: loadNamespace,
  handle: (ctx, { params, target }) => removePart(ctx, target, 'object', params.object_name),
})
