/** Properties of metadata definitions: what a key means and which values it may have. */
import { NotFound } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { last, type Query } from '../paging.ts'
import { propertySchema } from './documents.ts'
import {
  addPart,
  changePart,
  checkedBody,
  loadNamespace,
  partOf,
  partsOf,
  removePart,
  shownProperty,
} from './metadef.ts'
import { addProperty, getProperties, getProperty, getResourceType, modifyProperty, removeProperty } from './rules.ts'
import type { PartRow } from './store.ts'

const readOnly = ['created_at', 'updated_at']
const answer = Type.Object({ name: Type.String(), title: Type.String() })

const view = ({ name, body }: PartRow) => ({ name, ...shownProperty(body) }) as never

export const listProperties = operation({
  id: 'image.metadef_properties.list',
  method: 'GET',
  path: '/v2/metadefs/namespaces/{namespace_name}/properties',
  summary: 'List the properties of a namespace',
  policy: getProperties,
  response: Type.Object({ properties: Type.Record(Type.String(), Type.Unknown()) }),
  load: loadNamespace,
  async handle(ctx, { target }) {
    const found = await partsOf(ctx, target, 'property')
    return { properties: Object.fromEntries(found.map(({ name, body }) => [name, shownProperty(body)])) }
  },
})

export const createProperty = operation({
  id: 'image.metadef_properties.create',
  method: 'POST',
  path: '/v2/metadefs/namespaces/{namespace_name}/properties',
  summary: 'Add a property to a namespace',
  policy: addProperty,
  takes: propertySchema,
  response: answer,
  load: loadNamespace,
  async handle(ctx, { target, body }) {
    const { name, ...rest } = checkedBody('property', propertySchema, body, readOnly)
    return reply(view(await addPart(ctx, target, 'property', name as string, rest)), { status: 201 })
  },
})

export const showProperty = operation({
  id: 'image.metadef_properties.show',
  method: 'GET',
  path: '/v2/metadefs/namespaces/{namespace_name}/properties/{property_name}',
  summary: 'Show a property of a namespace',
  policy: getProperty,
  response: answer,
  load: loadNamespace,
  async handle(ctx, { params, target, query }) {
    let name = params.property_name
    const type = last((query as Query).resource_type)
    if (type) {
      ctx.enforce(getResourceType, target)
      const { prefix } = (await partOf(ctx, target, 'resource_type', type)).body as { prefix?: string }
      if (!prefix || !name.startsWith(prefix))
        throw new NotFound(
          `Property ${name} does not start with the expected resource type association prefix of '${prefix ?? 'None'}'.`,
        )
      name = name.slice(prefix.length)
    }
    return view(await partOf(ctx, target, 'property', name))
  },
})

export const updateProperty = operation({
  id: 'image.metadef_properties.update',
  method: 'PUT',
  path: '/v2/metadefs/namespaces/{namespace_name}/properties/{property_name}',
  summary: 'Change a property of a namespace',
  policy: modifyProperty,
  takes: propertySchema,
  response: answer,
  load: loadNamespace,
  async handle(ctx, { params, target, body }) {
    const changed = checkedBody('property', propertySchema, body, readOnly)
    return view(await changePart(ctx, target, 'property', params.property_name, changed))
  },
})

export const removePropertyOf = operation({
  id: 'image.metadef_properties.delete',
  method: 'DELETE',
  path: '/v2/metadefs/namespaces/{namespace_name}/properties/{property_name}',
  summary: 'Delete a property of a namespace',
  policy: removeProperty,
  load: loadNamespace,
  handle: (ctx, { params, target }) => removePart(ctx, target, 'property', params.property_name),
})
