/** Metadata definitions: who sees a namespace, how it and its parts are found, made, shown and removed. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Conflict, Forbidden, NotFound } from '#kernel/errors.ts'
import type { TSchema } from '#kernel/schema/builders.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import { seesAll, shownTime } from '../images/image.ts'
import { last, limitOf, orderOf, type Query } from '../paging.ts'
import { type Kind, type NamespaceRow, namespaces, type PartRow, parts } from './store.ts'

export type Body = Record<string, unknown>

/** A namespace as policy sees it. */
export interface NamespaceTarget extends NamespaceRow {
  project_id: string | null
  [extra: string]: unknown
}

/** A namespace that the caller may see. To anyone else it does not exist. */
export async function visibleNamespace(ctx: Ctx, name: string): Promise<NamespaceTarget> {
  const row = await namespaces.find(ctx.db, { namespace: name })
  const seen = row && (row.visibility === 'public' || seesAll(ctx) || row.owner === (ctx.identity.project_id ?? ''))
  if (!seen) throw new NotFound(`Metadata definition namespace=${name} was not found.`)
  return { ...row, project_id: row.owner }
}

/** The `load` of operations below a namespace. */
export const loadNamespace = (ctx: Ctx, { params }: { params: { namespace_name: string } }) =>
  visibleNamespace(ctx, params.namespace_name)

const words: Record<Kind, string> = {
  object: 'object',
  property: 'property',
  tag: 'tag',
  resource_type: 'resource-type-association',
}

const keyOf = (kind: Kind, name: string) => (kind === 'tag' ? name.toLowerCase() : name)

export async function partOf(ctx: Ctx, { id, namespace }: NamespaceRow, kind: Kind, name: string): Promise<PartRow> {
  const row = await parts.find(ctx.db, { namespace_id: id, kind, key: keyOf(kind, name) })
  if (row) return row
  throw new NotFound(
    kind === 'resource_type'
      ? `Failed to find resource type ${name} to delete`
      : `The metadata definition ${words[kind]} with name=${name} was not found in namespace=${namespace}.`,
  )
}

const duplicate: Record<Kind, (name: string, namespace: string) => string> = {
  object: (name, namespace) =>
    `A metadata definition object with name=${name} already exists in namespace=${namespace}.`,
  property: (name, namespace) =>
    `A metadata definition property with name=${name} already exists in namespace=${namespace}.`,
  tag: (name, namespace) =>
    `A metadata tag with name=${name} already exists in namespace=${namespace}. (Please note that metadata tag names are case insensitive).`,
  resource_type: (name, namespace) =>
    `The metadata definition resource-type association of resource-type=${name} to namespace=${namespace} already exists.`,
}

export async function addPart(ctx: Ctx, { id, namespace }: NamespaceRow, kind: Kind, name: string, body: Body) {
  const now = new Date(ctx.clock.now()).toISOString()
  const row: PartRow = {
    ...{ id: ctx.ids.uuid(), namespace_id: id, kind, name, key: keyOf(kind, name), body },
    ...{ created_at: now, updated_at: now },
  }
  await parts.insert(ctx.db, row).catch(error => {
    throw error instanceof UniqueViolation ? new Conflict(duplicate[kind](name, namespace)) : error
  })
  return row
}

/** Gives a part what a body says, its name among it. */
export async function changePart(ctx: Ctx, target: NamespaceRow, kind: Kind, known: string, given: Body) {
  const { name: text, ...body } = given
  const name = String(text)
  const row = await partOf(ctx, target, kind, known)
  const changed = { name, key: keyOf(kind, name), body, updated_at: new Date(ctx.clock.now()).toISOString() }
  await parts.update(ctx.db, { id: row.id }, changed).catch(error => {
    throw error instanceof UniqueViolation ? new Conflict(duplicate[kind](name, target.namespace)) : error
  })
  return { ...row, ...changed }
}

export async function removePart(ctx: Ctx, target: NamespaceRow, kind: Kind, name: string): Promise<undefined> {
  const row = await partOf(ctx, target, kind, name)
  if (target.protected)
    throw new Forbidden(`Metadata definition ${words[kind]} ${name} is protected and cannot be deleted.`)
  await parts.remove(ctx.db, { id: row.id })
  return undefined
}

export async function removeParts(ctx: Ctx, target: NamespaceRow, kind: Kind): Promise<undefined> {
  refuseProtected(target)
  await parts.remove(ctx.db, { namespace_id: target.id, kind })
  return undefined
}

export function refuseProtected(target: NamespaceRow): void {
  if (target.protected)
    throw new Forbidden(`Metadata definition namespace ${target.namespace} is protected and cannot be deleted.`)
}

/** The parts of a kind, oldest first. */
export const partsOf = (ctx: Ctx, { id }: NamespaceRow, kind: Kind) =>
  parts.list(ctx.db, { namespace_id: id, kind }, { orderBy: [...byAge] })

/** The parts of a kind that a query asks for; the marker is a name. */
export async function pageOfParts(ctx: Ctx, target: NamespaceRow, kind: Kind, query: Query): Promise<PartRow[]> {
  const [limit, marker] = [limitOf(query), last(query.marker)]
  return parts.list(
    ctx.db,
    { namespace_id: target.id, kind },
    {
      orderBy: orderOf(query, ['created_at', 'id', 'name', 'updated_at'] as const),
      ...(limit !== undefined && { limit }),
      ...(marker && { after: await partOf(ctx, target, kind, marker) }),
    },
  )
}

export const byAge = [
  { column: 'created_at', direction: 'asc' },
  { column: 'id', direction: 'asc' },
] as const

/** A body that matches the schema. Throws 403 for attributes that nobody sets, 400 for what else is wrong. */
export function checkedBody(name: string, schema: TSchema, body: unknown, readOnly: string[]): Body {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new BadRequest('Body expected in request.')
  const forbidden = readOnly.find(key => key in body)
  if (forbidden) throw new Forbidden(`Attribute '${forbidden}' is read-only.`)
  const problem = problemOf(schema, body)
  if (problem) {
    const about = problem.field && ` for property ${problem.field}`
    throw new BadRequest(`Provided object does not match schema '${name}': ${problem.message}${about}`)
  }
  return body as Body
}

export const shownTimes = (row: { created_at: string; updated_at: string }) => ({
  created_at: shownTime(row.created_at),
  updated_at: shownTime(row.updated_at),
})

/** A definition as it is shown, which is less free than JSON: defaults and choices are text. */
export function shownProperty(body: Body): Body {
  return {
    ...body,
    ...('default' in body && { default: text(body.default) }),
    ...(Array.isArray(body.enum) && { enum: body.enum.map(text) }),
  }
}

const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

export const shownProperties = (list: Record<string, Body>) =>
  Object.fromEntries(Object.entries(list).map(([name, body]) => [name, shownProperty(body)]))
