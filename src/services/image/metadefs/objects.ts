/** Objects of metadata definitions: groups of properties that belong together. */
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import type { Query } from '../paging.ts'
import { objectSchema } from './documents.ts'
import {
  addPart,
  type Body,
  changePart,
  checkedBody,
  loadNamespace,
  pageOfParts,
  partOf,
  removePart,
  shownProperties,
  shownTimes,
} from './metadef.ts'
import { addObject, deleteObject, getObject, getObjects, modifyObject } from './rules.ts'
import type { PartRow } from './store.ts'

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
  async handle(ctx, { target, query }) {
    const found = await pageOfParts(ctx, target, 'object', query as Query)
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
  takes: objectSchema,
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
  takes: objectSchema,
  response: answer,
  load: loadNamespace,
  async handle(ctx, { params, target, body }) {
    const changed = checkedBody('object', objectSchema, body, readOnly)
    return viewObject(target.namespace, await changePart(ctx, target, 'object', params.object_name, changed))
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
