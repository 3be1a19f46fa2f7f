/** Limits of projects and domains, in place of the registered ones. */
import type { Ctx } from '#kernel/context.ts'
import { lock, UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Forbidden, NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { linksAnswer, listOf, oneOf, texts } from '../answers.ts'
import { conflict, expecting } from '../faults.ts'
import { collectionOf, equals, linkTo } from '../listing.ts'
import { adminRequired, allScopes, identityRule, systemOrProject, systemReader } from '../policy.ts'
import { projects } from '../projects/store.ts'
import { checkHierarchy, modelOf } from './limit.ts'
import { checkPlaces, limitNumber, nullableText, regionId, resourceName, serviceId } from './registered.ts'
import { type LimitRow, limits, type RegisteredLimitRow, registeredLimits } from './store.ts'

const answer = Type.Object({
  ...texts('id', 'project_id', 'domain_id', 'service_id', 'region_id', 'resource_name', 'description'),
  resource_limit: Type.Integer(),
  links: Type.Optional(linksAnswer),
})

const path = '/v3/limits'
const ofDomain = '(domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s)'
const ofProject = '(project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s)'
const readers = `${adminRequired} or ${systemReader} or ${ofDomain} or ${ofProject}`

const asked = Type.Object(
  {
    project_id: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
    domain_id: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
    service_id: serviceId,
    region_id: Type.Optional(regionId),
    resource_name: resourceName,
    resource_limit: limitNumber,
    description: Type.Optional(nullableText),
  },
  { additionalProperties: false },
)
type Asked = Static<typeof asked>

function view(ctx: Ctx, row: LimitRow, registered: RegisteredLimitRow) {
  const { registered_limit_id: _, ...own } = row
  const { service_id, region_id, resource_name } = registered
  return { ...own, service_id, region_id, resource_name, links: linkTo(ctx, `limits/${row.id}`) }
}

async function registeredOf(ctx: Ctx, row: LimitRow): Promise<RegisteredLimitRow> {
  return (await registeredLimits.find(ctx.db, { id: row.registered_limit_id }))!
}

async function find(ctx: Ctx, id: string): Promise<LimitRow> {
  const row = await limits.find(ctx.db, { id })
  if (!row) throw new NotFound(`Could not find limit for ${id}.`)
  return row
}

const model = operation({
  id: 'identity.limits.model',
  method: 'GET',
  path: `${path}/model`,
  summary: 'Show how limits count in hierarchies',
  response: oneOf('model', Type.Object({ name: Type.String(), description: Type.String() })),
  policy: identityRule('get_limit_model', '', allScopes),
  handle: async ctx => ({ model: modelOf(ctx) }),
})

/** Whose limits the caller sees: everybody's, those of its domain, or those of its project. */
async function visible(ctx: Ctx, all: LimitRow[]): Promise<LimitRow[]> {
  const { system_scope, roles, domain_id, project_id } = ctx.identity
  if (system_scope || roles.includes('admin') || roles.includes('service')) return all
  if (domain_id === undefined) return all.filter(row => row.project_id !== null && row.project_id === project_id)
  const own = new Set((await projects.list(ctx.db, { domain_id })).map(project => project.id))
  return all.filter(row => row.domain_id === domain_id || (row.project_id !== null && own.has(row.project_id)))
}

const list = operation({
  id: 'identity.limits.list',
  method: 'GET',
  path,
  summary: 'List limits',
  response: listOf('limits', answer),
  policy: identityRule('list_limits', '', allScopes),
  async handle(ctx, { query, url }) {
    const registered = await registeredLimits.list(ctx.db, equals(query, ['service_id', 'region_id', 'resource_name']))
    const byId = new Map(registered.map(row => [row.id, row]))
    const where = { ...equals(query, ['project_id', 'domain_id']), registered_limit_id: [...byId.keys()] }
    const all = await limits.list(ctx.db, where, { orderBy: [{ column: 'id', direction: 'asc' }] })
    const shown = (await visible(ctx, all)).map(row => view(ctx, row, byId.get(row.registered_limit_id)!))
    return { limits: shown, links: collectionOf(ctx, url) }
  },
})

const show = operation({
  id: 'identity.limits.show',
  method: 'GET',
  path: `${path}/{limit_id}`,
  summary: 'Show a limit',
  response: oneOf('limit', answer),
  policy: identityRule('get_limit', readers, allScopes),
  async load(ctx, { params }) {
    const row = await find(ctx, params.limit_id)
    const project = row.project_id === null ? undefined : await projects.find(ctx.db, { id: row.project_id })
    return {
      row,
      'target.limit.project_id': row.project_id,
      ...(row.domain_id !== null && { 'target.limit.domain.id': row.domain_id }),
      ...(project && { 'target.limit.project.domain_id': project.domain_id }),
    }
  },
  handle: async (ctx, { target: { row } }) => ({ limit: view(ctx, row, await registeredOf(ctx, row)) }),
})

/** Whose limit it is: a domain may be named as the project that it is. */
async function holder(ctx: Ctx, sent: Asked): Promise<Pick<LimitRow, 'project_id' | 'domain_id'>> {
  const { project_id = null, domain_id = null } = sent
  if ((project_id === null) === (domain_id === null)) {
    throw new BadRequest("Invalid input for field 'limits': name one of project_id and domain_id.")
  }
  const row = await projects.find(ctx.db, { id: (project_id ?? domain_id)! })
  if (!row || (domain_id !== null && !row.is_domain)) {
    throw expecting(project_id === null ? 'domain_id' : 'project_id', 'limit')
  }
  return row.is_domain ? { project_id: null, domain_id: row.id } : { project_id: row.id, domain_id: null }
}

const create = operation({
  id: 'identity.limits.create',
  method: 'POST',
  path,
  summary: 'Create limits',
  response: Type.Object({ limits: Type.Array(answer) }),
  policy: identityRule('create_limits', adminRequired, systemOrProject),
  request: Type.Object({ limits: Type.Array(asked, { minItems: 1, maxItems: 1000 }) }, { additionalProperties: false }),
  status: 201,
  async handle(ctx, { body }) {
    try {
      return await ctx.transaction(async tx => {
        await lock(tx.db, tx.database.engine, 'identity.limits')
        const made: { row: LimitRow; registered: RegisteredLimitRow }[] = []
        for (const sent of body.limits) {
          const { service_id, region_id = null, resource_name, resource_limit, description = null } = sent
          await checkPlaces(tx, 'limit', sent)
          const whose = await holder(tx, sent)
          const registered = await registeredLimits.find(tx.db, { service_id, region_id, resource_name })
          if (!registered) {
            throw new Forbidden('Unable to create a limit that has no corresponding registered limit.')
          }
          const row = { id: tx.ids.hex(), registered_limit_id: registered.id, ...whose, resource_limit, description }
          await limits.insert(tx.db, row)
          made.push({ row, registered })
        }
        // Once all are there: a domain's limit may come with those of its projects, in any order.
        for (const { row, registered } of made) await checkHierarchy(tx, registered, row)
        return { limits: made.map(({ row, registered }) => view(tx, row, registered)) }
      })
    } catch (error) {
      if (error instanceof UniqueViolation) throw conflict('limit', 'Duplicate entry')
      throw error
    }
  },
})

const update = operation({
  id: 'identity.limits.update',
  method: 'PATCH',
  path: `${path}/{limit_id}`,
  summary: 'Change a limit',
  response: oneOf('limit', answer),
  policy: identityRule('update_limit', adminRequired, systemOrProject),
  request: Type.Object(
    {
      limit: Type.Object(
        { resource_limit: Type.Optional(limitNumber), description: Type.Optional(nullableText) },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  async handle(ctx, { params: { limit_id: id }, body: { limit: patch } }) {
    return ctx.transaction(async tx => {
      await lock(tx.db, tx.database.engine, 'identity.limits')
      const row = { ...(await find(tx, id)), ...patch } as LimitRow
      const registered = await registeredOf(tx, row)
      await checkHierarchy(tx, registered, row)
      await limits.update(tx.db, { id }, row)
      return { limit: view(tx, row, registered) }
    })
  },
})

const remove = operation({
  id: 'identity.limits.delete',
  method: 'DELETE',
  path: `${path}/{limit_id}`,
  summary: 'Delete a limit: the registered one holds again',
  policy: identityRule('delete_limit', adminRequired, systemOrProject),
  async handle(ctx, { params: { limit_id: id } }) {
    await find(ctx, id)
    await limits.remove(ctx.db, { id })
    return undefined
  },
})

export const limitOperations = [model, list, show, create, update, remove]
