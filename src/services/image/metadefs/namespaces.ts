/** Namespaces of metadata definitions: list, create, show, change, delete. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { seesAll } from '../images/image.ts'
import { last, limitOf, linksOf, orderOf, pageSize, type Query } from '../paging.ts'
import { namespaceSchema } from './documents.ts'
import {
  addPart,
  type Body,
  byAge,
  checkedBody,
  loadNamespace,
  type NamespaceTarget,
  refuseProtected,
  removeParts,
  shownProperty,
  shownTimes,
  visibleNamespace,
} from './metadef.ts'
import { viewObject } from './objects.ts'
import { viewAssociation } from './resource-types.ts'
import {
  addNamespace,
  addObject,
  addProperty,
  addResourceType,
  addTag,
  deleteNamespace,
  deleteTags,
  getNamespace,
  getNamespaces,
  getObjects,
  getProperties,
  getTags,
  listResourceTypes,
  modifyNamespace,
} from './rules.ts'
import { type NamespaceRow, namespaces, type PartRow, parts, rememberResourceType, selectNamespaces } from './store.ts'

const readOnly = ['self', 'schema', 'created_at', 'updated_at']
const answer = Type.Object({ namespace: Type.String(), visibility: Type.String(), protected: Type.Boolean() })

function viewNamespace(row: NamespaceRow) {
  return {
    namespace: row.namespace,
    ...(row.display_name !== null && { display_name: row.display_name }),
    ...(row.description !== null && { description: row.description }),
    visibility: row.visibility,
    protected: row.protected,
    ...(row.owner !== null && { owner: row.owner }),
    ...shownTimes(row),
    self: `/v2/metadefs/namespaces/${row.namespace}`,
    schema: '/v2/schemas/metadefs/namespace',
  }
}

/** A namespace with all that it defines. The names of properties begin with the prefix, when a resource type has one. */
function viewWhole(row: NamespaceRow, all: PartRow[], prefix = ''): Record<string, unknown> {
  const of = (kind: PartRow['kind']) => all.filter(part => part.kind === kind)
  const prefixed = (object: ReturnType<typeof viewObject>) => ({
    ...object,
    ...(object.required && { required: object.required.map(name => prefix + name) }),
    ...(object.properties && {
      properties: Object.fromEntries(Object.entries(object.properties).map(([name, body]) => [prefix + name, body])),
    }),
  })
  const objects = of('object').map(part => prefixed(viewObject(row.namespace, part)))
  const associations = of('resource_type').map(viewAssociation)
  const properties = of('property').map(part => [prefix + part.name, shownProperty(part.body)] as const)
  const tags = of('tag').map(({ name }) => ({ name }))
  return {
    ...viewNamespace(row),
    ...(objects.length > 0 && { objects }),
    ...(associations.length > 0 && { resource_type_associations: associations }),
    ...(properties.length > 0 && { properties: Object.fromEntries(properties) }),
    ...(tags.length > 0 && { tags }),
  }
}

const sortable = ['created_at', 'id', 'namespace', 'display_name', 'updated_at', 'visibility', 'owner'] as const

export const listNamespaces = operation({
  id: 'image.metadef_namespaces.list',
  method: 'GET',
  path: '/v2/metadefs/namespaces',
  summary: 'List namespaces of metadata definitions',
  policy: getNamespaces,
  response: Type.Object({
    namespaces: Type.Array(answer),
    first: Type.String(),
    next: Type.Optional(Type.String()),
    schema: Type.String(),
  }),
  async handle(ctx, request) {
    const query = request.query as Query
    ctx.enforce(listResourceTypes)
    const limit = limitOf(query) ?? pageSize
    const marker = last(query.marker)
    const found = await selectNamespaces(ctx.db, {
      seenBy: seesAll(ctx) ? undefined : (ctx.identity.project_id ?? ''),
      visibility: visibilityOf(query),
      resourceTypes: last(query.resource_types)?.split(',').slice(0, 100),
      orderBy: orderOf(query, sortable),
      limit,
      after: marker ? await plainRow(ctx, marker) : undefined,
    })
    const ids = found.map(row => row.id)
    const associations = Map.groupBy(
      await parts.list(ctx.db, { namespace_id: ids, kind: 'resource_type' }, { orderBy: [...byAge] }),
      part => part.namespace_id,
    )
    const seen = found.filter(row => ctx.can(getNamespace, { ...row, project_id: row.owner }))
    const names = found.map(row => row.namespace)
    return {
      namespaces: seen.map(row => viewWhole(row, associations.get(row.id) ?? []) as never),
      ...linksOf('/v2/metadefs/namespaces', query, limit, names),
      schema: '/v2/schemas/metadefs/namespaces',
    }
  },
})

function visibilityOf(query: Query): string | undefined {
  const given = last(query.visibility)
  if (given !== undefined && given !== '' && given !== 'public' && given !== 'private')
    throw new BadRequest(`Invalid visibility value: ${given}`)
  return given || undefined
}

/** The row without what policy adds, for paging. */
async function plainRow(ctx: Ctx, name: string): Promise<NamespaceRow> {
  const { project_id: _, ...row } = await visibleNamespace(ctx, name)
  return row as unknown as NamespaceRow
}

export const createNamespace = operation({
  id: 'image.metadef_namespaces.create',
  method: 'POST',
  path: '/v2/metadefs/namespaces',
  summary: 'Create a namespace of metadata definitions',
  policy: addNamespace,
  takes: namespaceSchema,
  response: answer,
  async handle(ctx, request) {
    const body = checkedBody('namespace', namespaceSchema, request.body, readOnly)
    const listed = <T>(name: string) => (body[name] as T[] | undefined) ?? []
    const associations = listed<Body>('resource_type_associations')
    const [objects, tags] = [listed<Body>('objects'), listed<Body>('tags')]
    const properties = Object.entries((body.properties as Record<string, Body> | undefined) ?? {})
    if (associations.length > 0) ctx.enforce(addResourceType)
    if (objects.length > 0) ctx.enforce(addObject)
    if (properties.length > 0) ctx.enforce(addProperty)
    if (tags.length > 0) ctx.enforce(addTag)
    const now = new Date(ctx.clock.now()).toISOString()
    const row: NamespaceRow = {
      id: ctx.ids.uuid(),
      ...given(ctx, body),
      created_at: now,
      updated_at: now,
    }
    const made = await ctx.transaction(async tx => {
      await namespaces.insert(tx.db, row).catch(error => taken(error, row.namespace))
      const added: PartRow[] = []
      for (const { name, ...rest } of associations) {
        await rememberResourceType(tx.db, { name: String(name), created_at: now, updated_at: now })
        added.push(await addPart(tx, row, 'resource_type', String(name), rest))
      }
      for (const { name, ...rest } of objects) added.push(await addPart(tx, row, 'object', String(name), rest))
      for (const { name } of tags) added.push(await addPart(tx, row, 'tag', String(name), {}))
      for (const [name, rest] of properties) added.push(await addPart(tx, row, 'property', name, rest))
      return added
    })
    return reply(viewWhole(row, made), {
      status: 201,
      headers: { location: `${ctx.base}/image/v2/metadefs/namespaces/${encodeURIComponent(row.namespace)}` },
    })
  },
})

function given(ctx: Ctx, body: Body) {
  return {
    namespace: body.namespace as string,
    display_name: (body.display_name as string | undefined) ?? null,
    description: (body.description as string | undefined) ?? null,
    visibility: (body.visibility as string | undefined) ?? 'private',
    protected: (body.protected as boolean | undefined) ?? false,
    owner: (body.owner as string | undefined) ?? ctx.identity.project_id ?? null,
  }
}

function taken(error: unknown, name: string): never {
  if (!(error instanceof UniqueViolation)) throw error
  throw new Conflict(`The metadata definition namespace=${name} already exists.`)
}

export const showNamespace = operation({
  id: 'image.metadef_namespaces.show',
  method: 'GET',
  path: '/v2/metadefs/namespaces/{namespace_name}',
  summary: 'Show a namespace with all that it defines',
  policy: getNamespace,
  response: answer,
  load: loadNamespace,
  async handle(ctx, request) {
    const { target } = request
    for (const rule of [listResourceTypes, getObjects, getProperties, getTags]) ctx.enforce(rule, target)
    const all = await parts.list(ctx.db, { namespace_id: target.id }, { orderBy: [...byAge] })
    const type = last((request.query as Query).resource_type)
    const association = all.find(part => part.kind === 'resource_type' && part.name === type)
    return viewWhole(target, all, association?.body.prefix as string | undefined) as never
  },
})

export const updateNamespace = operation({
  id: 'image.metadef_namespaces.update',
  method: 'PUT',
  path: '/v2/metadefs/namespaces/{namespace_name}',
  summary: 'Change a namespace',
  policy: modifyNamespace,
  takes: namespaceSchema,
  response: answer,
  load: loadNamespace,
  async handle(ctx, { target, body }) {
    const change = {
      ...given(ctx, checkedBody('namespace', namespaceSchema, body, readOnly)),
      updated_at: new Date(ctx.clock.now()).toISOString(),
    }
    await namespaces.update(ctx.db, { id: target.id }, change).catch(error => taken(error, change.namespace))
    return viewNamespace({ ...target, ...change })
  },
})

export const removeNamespace = operation({
  id: 'image.metadef_namespaces.delete',
  method: 'DELETE',
  path: '/v2/metadefs/namespaces/{namespace_name}',
  summary: 'Delete a namespace with all that it defines',
  policy: deleteNamespace,
  load: loadNamespace,
  async handle(ctx, { target }) {
    refuseProtected(target)
    await ctx.transaction(async tx => {
      await parts.remove(tx.db, { namespace_id: target.id })
      await namespaces.remove(tx.db, { id: target.id })
    })
    return undefined
  },
})

/** All parts of a kind at once. */
const removeAll = (kind: 'object' | 'property' | 'tag', plural: 'objects' | 'properties' | 'tags') =>
  operation({
    id: `image.metadef_${plural}.delete_all`,
    method: 'DELETE',
    path: `/v2/metadefs/namespaces/{namespace_name}/${plural}`,
    summary: `Delete all ${plural} of a namespace`,
    policy: deleteNamespace,
    load: loadNamespace,
    async handle(ctx: Ctx, { target }: { target: NamespaceTarget }) {
      if (kind === 'tag') ctx.enforce(deleteTags, target)
      return removeParts(ctx, target, kind)
    },
  })

export const removeAllObjects = removeAll('object', 'objects')
export const removeAllProperties = removeAll('property', 'properties')
export const removeAllTags = removeAll('tag', 'tags')
