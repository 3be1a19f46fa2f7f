/** Resource types: what the definitions of a namespace are about. */
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { resourceTypeSchema } from './documents.ts'
import { addPart, checkedBody, loadNamespace, partsOf, removePart, shownTimes } from './metadef.ts'
import { addResourceType, getResourceType, listResourceTypes, removeResourceType } from './rules.ts'
import { type PartRow, rememberResourceType, resourceTypes } from './store.ts'

const readOnly = ['created_at', 'updated_at']
const answer = Type.Object({ name: Type.String(), created_at: Type.String(), updated_at: Type.String() })

export const viewAssociation = (row: PartRow) => ({ name: row.name, ...row.body, ...shownTimes(row) })

export const listAllResourceTypes = operation({
  id: 'image.metadef_resource_types.list',
  method: 'GET',
  path: '/v2/metadefs/resource_types',
  summary: 'List the resource types that namespaces are about',
  policy: listResourceTypes,
  response: Type.Object({ resource_types: Type.Array(answer) }),
  async handle(ctx) {
    const found = await resourceTypes.list(ctx.db, {}, { orderBy: [{ column: 'name', direction: 'asc' }] })
    return { resource_types: found.map(row => ({ name: row.name, ...shownTimes(row) })) }
  },
})

export const listAssociations = operation({
  id: 'image.metadef_associations.list',
  method: 'GET',
  path: '/v2/metadefs/namespaces/{namespace_name}/resource_types',
  summary: 'List the resource types of a namespace',
  policy: listResourceTypes,
  response: Type.Object({ resource_type_associations: Type.Array(answer) }),
  load: loadNamespace,
  async handle(ctx, { target }) {
    const found = ctx.can(getResourceType, target) ? await partsOf(ctx, target, 'resource_type') : []
    return { resource_type_associations: found.map(viewAssociation) }
  },
})

export const createAssociation = operation({
  id: 'image.metadef_associations.create',
  method: 'POST',
  path: '/v2/metadefs/namespaces/{namespace_name}/resource_types',
  summary: 'Add a resource type to a namespace',
  policy: addResourceType,
  takes: resourceTypeSchema,
  response: answer,
  load: loadNamespace,
  async handle(ctx, { target, body }) {
    const { name, ...rest } = checkedBody('resource_type_association', resourceTypeSchema, body, readOnly)
    const row = await ctx.transaction(async tx => {
      const made = await addPart(tx, target, 'resource_type', name as string, rest)
      const { created_at, updated_at } = made
      await rememberResourceType(tx.db, { name: made.name, created_at, updated_at })
      return made
    })
    return reply(viewAssociation(row), { status: 201 })
  },
})

export const removeAssociation = operation({
  id: 'image.metadef_associations.delete',
  method: 'DELETE',
  path: '/v2/metadefs/namespaces/{namespace_name}/resource_types/{name}',
  summary: 'Take a resource type from a namespace',
  policy: removeResourceType,
  load: loadNamespace,
  handle: (ctx, { params, target }) => removePart(ctx, target, 'resource_type', params.name),
})
