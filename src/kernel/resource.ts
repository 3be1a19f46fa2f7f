/** A resource in the network API's dialect: five operations from one attribute map, bulk create, filters, sorting, paging, revisions. */

import type { Ctx } from './context.ts'
import type { Rows, Where } from './db/rows.ts'
import { BadRequest, Forbidden, NotFound, PreconditionFailed } from './errors.ts'
import { type Operation, operation, reply } from './operation.ts'
import type { Target } from './policy/credentials.ts'
import { type Rule, rule } from './policy/rule.ts'
import { type ListSpec, listRows, selectFields } from './resource-list.ts'
import { type TSchema, Type } from './schema/builders.ts'
import { problemOf, pythonic } from './schema/validate.ts'

export interface Attribute {
  schema: TSchema
  /** May be given at creation; with a check (policy text), only by those it allows. Absent: no. */
  create?: true | string
  /** May be changed later; likewise. */
  update?: true | string
  /** Must be given at creation. */
  required?: boolean
  /** The value when not given at creation. */
  default?: unknown
  /** Shown in answers, by default true; with a check, only to those it allows. */
  visible?: boolean | string
}

/** Members that every resource has beyond its attribute map. */
export interface StandardRow {
  id: string
  project_id: string
  created_at: string
  updated_at: string
  revision_number: number
}

export interface ResourceHooks<Row extends StandardRow> {
  /** Makes the row and all that goes with it, in the transaction that `ctx.db` is. `values` has every creatable attribute, defaults filled in. */
  create(ctx: Ctx, values: Record<string, unknown>): Promise<Row>
  /** Makes the change (in a transaction) and returns the new row. `patch` has only what the caller sent. Without it, columns of the same names are set. */
  update?(ctx: Ctx, row: Row, patch: Record<string, unknown>): Promise<Row>
  /** Removes the row and what hangs on it, in a transaction. */
  remove(ctx: Ctx, row: Row): Promise<void>
  /** Rows as the API shows them, all at once so that related rows are fetched by one query. Without it the row itself is shown. */
  view?(ctx: Ctx, rows: Row[]): Promise<Record<string, unknown>[]>
}

export interface ResourceSpec<Row extends StandardRow> extends ListSpec<Row> {
  /** `/v2.0/security-groups` */
  path: string
  /** Key of lists, `security_groups`. */
  collection: string
  /** Key of one, `security_group`; also in policy names (`create_security_group`). */
  member: string
  /** For messages and error types: `SecurityGroup` gives `SecurityGroupNotFound`. */
  title: string
  attributes: Record<string, Attribute>
  store: Rows<Row>
  policy: { create: string; show: string; update: string; delete: string }
  /** What other projects may see besides their own (shared, external …), as a condition on the row. */
  visible?: ListSpec<Row>['visible']
  hooks: ResourceHooks<Row>
  /** Without these operations (`agents` are not created by users). */
  without?: ('create' | 'update' | 'delete')[]
}

export interface Resource<Row extends StandardRow> {
  spec: ResourceSpec<Row>
  operations: Operation[]
  rules: Rule[]
  /** The row, or `NotFound` in the network API's words, also when the caller may not see it. */
  load(ctx: Ctx, id: string): Promise<Row>
  view(ctx: Ctx, rows: Row[]): Promise<Record<string, unknown>[]>
}

const standardAttributes: Record<string, Attribute> = {
  id: { schema: Type.String() },
  project_id: { schema: Type.String({ maxLength: 255 }), create: true },
  tenant_id: { schema: Type.String({ maxLength: 255 }), create: true },
  created_at: { schema: Type.String() },
  updated_at: { schema: Type.String() },
  revision_number: { schema: Type.Integer() },
}

export function resource<Row extends StandardRow>(spec: ResourceSpec<Row>): Resource<Row> {
  const { member, collection, store, hooks } = spec
  const attributes = { ...standardAttributes, ...spec.attributes }
  const rules = {
    create: rule(`create_${member}`, spec.policy.create),
    show: rule(`get_${member}`, spec.policy.show),
    update: rule(`update_${member}`, spec.policy.update),
    delete: rule(`delete_${member}`, spec.policy.delete),
  }
  const attributeRules = new Map<string, Rule>()
  for (const [name, attribute] of Object.entries(spec.attributes)) {
    if (typeof attribute.create === 'string')
      attributeRules.set(`create:${name}`, rule(`create_${member}:${name}`, attribute.create))
    if (typeof attribute.update === 'string')
      attributeRules.set(`update:${name}`, rule(`update_${member}:${name}`, attribute.update))
    if (typeof attribute.visible === 'string')
      attributeRules.set(`get:${name}`, rule(`get_${member}:${name}`, attribute.visible))
  }

  function disallowed(name: string): Forbidden {
    return new Forbidden(`(rule:${name}) is disallowed by policy`, { type: 'PolicyNotAuthorized' })
  }

  function notFound(id: string): NotFound {
    const words = spec.title.replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    return new NotFound(`${words.replace('Ip', 'IP')} ${id} could not be found.`, { type: `${spec.title}NotFound` })
  }

  async function load(ctx: Ctx, id: string): Promise<Row> {
    const [row] = await store.list(ctx.db, { id } as Where<Row>, {
      limit: 1,
      ...(seesAll(ctx)
        ? {}
        : { also: eb => spec.visible?.(ctx, eb) ?? eb('project_id', '=', ctx.identity.project_id ?? '') }),
    })
    if (!row || !ctx.can(rules.show, asTarget(row))) {
      // What is shared by other means than project and `visible` is up to policy alone.
      throw notFound(id)
    }
    return row
  }

  const seesAll = (ctx: Ctx) =>
    ctx.identity.roles.includes('admin') || ctx.identity.is_admin === true || ctx.identity.roles.includes('service')
  const asTarget = (row: Row): Target => ({ ...row, tenant_id: row.project_id }) as unknown as Target

  async function view(ctx: Ctx, rows: Row[]): Promise<Record<string, unknown>[]> {
    const shown = hooks.view ? await hooks.view(ctx, rows) : rows.map(row => ({ ...row }) as Record<string, unknown>)
    return shown.map((item, i) => {
      const out: Record<string, unknown> = {}
      for (const [name, attribute] of Object.entries(attributes)) {
        if (attribute.visible === false) continue
        const guard = attributeRules.get(`get:${name}`)
        if (guard && !ctx.can(guard, asTarget(rows[i]!))) continue
        if (name === 'tenant_id') out[name] = rows[i]!.project_id
        else if (item[name] !== undefined) out[name] = item[name]
      }
      return out
    })
  }

  function check(name: string, value: unknown): void {
    const problem = problemOf(attributes[name]!.schema, value)
    if (!problem) return
    const where = problem.field ? ` (${problem.field})` : ''
    throw new BadRequest(`Invalid input for ${name}. Reason: ${problem.message}${where}.`, { type: 'HTTPBadRequest' })
  }

  /** Checks one member of a create body and fills in defaults. */
  function createValues(ctx: Ctx, sent: unknown): Record<string, unknown> {
    if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) throw new BadRequest(`Resource body required`)
    const body = { ...(sent as Record<string, unknown>) }
    if (body.tenant_id !== undefined) body.project_id ??= body.tenant_id
    delete body.tenant_id
    const known = new Map(Object.entries(attributes))
    const unknown = Object.keys(body).filter(name => !known.has(name))
    if (unknown.length > 0)
      throw new BadRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`, { type: 'HTTPBadRequest' })
    const projectId = body.project_id ?? ctx.identity.project_id
    if (typeof projectId !== 'string' || projectId === '')
      throw new BadRequest('Running without keystone AuthN requires that tenant_id is specified', {
        type: 'HTTPBadRequest',
      })
    if (projectId !== ctx.identity.project_id && !seesAll(ctx))
      throw new BadRequest(
        "Specifying 'project_id' other than the authenticated project in request requires admin privileges",
        { type: 'HTTPBadRequest' },
      )
    const values: Record<string, unknown> = { project_id: projectId }
    for (const [name, attribute] of known) {
      if (name in standardAttributes) continue
      if (name in body) {
        if (!attribute.create)
          throw new BadRequest(`Attribute '${name}' not allowed in POST`, { type: 'HTTPBadRequest' })
        check(name, body[name])
        values[name] = body[name]
      } else if (attribute.required) {
        throw new BadRequest(`Failed to parse request. Required attribute '${name}' not specified`, {
          type: 'HTTPBadRequest',
        })
      } else if (attribute.create) values[name] = structuredClone(attribute.default)
    }
    const target = { ...values, tenant_id: projectId }
    if (!ctx.can(rules.create, target)) throw disallowed(rules.create.name)
    for (const name of Object.keys(body)) {
      const guard = attributeRules.get(`create:${name}`)
      if (guard && body[name] !== attributes[name]!.default && !ctx.can(guard, target)) throw disallowed(guard.name)
    }
    return values
  }

  function updateValues(ctx: Ctx, row: Row, sent: unknown): Record<string, unknown> {
    if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) throw new BadRequest(`Resource body required`)
    const known = new Map(Object.entries(attributes))
    const patch: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(sent)) {
      const attribute = known.get(name)
      if (!attribute) throw new BadRequest(`Unrecognized attribute(s) '${name}'`, { type: 'HTTPBadRequest' })
      if (!attribute.update)
        throw new BadRequest(`Cannot update read-only attribute ${name}`, { type: 'HTTPBadRequest' })
      check(name, value)
      const guard = attributeRules.get(`update:${name}`)
      if (guard && !ctx.can(guard, asTarget(row))) throw disallowed(guard.name)
      patch[name] = value
    }
    return patch
  }

  function checkRevision(row: Row, ifMatch: string | undefined): void {
    const asked = ifMatch?.match(/revision_number=(\d+)/)?.[1]
    if (asked !== undefined && Number(asked) !== row.revision_number) {
      throw new PreconditionFailed(`Constrained to ${asked}, but current revision is ${row.revision_number}`, {
        type: 'RevisionNumberConstraintFailed',
      })
    }
  }

  const list = operation({
    id: `network.${collection}.list`,
    method: 'GET',
    path: spec.path,
    summary: `List ${collection.replaceAll('_', ' ')}`,
    policy: 'authenticated',
    async handle(ctx, { query, url }) {
      return listRows(
        ctx,
        { ...spec, attributes, seesAll: seesAll(ctx), view },
        query as Record<string, string | string[]>,
        url,
      )
    },
  })

  const show = operation({
    id: `network.${collection}.show`,
    method: 'GET',
    path: `${spec.path}/{id}`,
    summary: `Show one of ${collection.replaceAll('_', ' ')}`,
    policy: 'authenticated',
    async handle(ctx, { params, query }) {
      const [item] = await view(ctx, [await load(ctx, params.id)])
      return { [member]: selectFields(item!, query as Record<string, string | string[]>) }
    },
  })

  const create = operation({
    id: `network.${collection}.create`,
    method: 'POST',
    path: spec.path,
    summary: `Create ${collection.replaceAll('_', ' ')}`,
    policy: 'authenticated',
    request: Type.Unknown(),
    status: 201,
    async handle(ctx, { body }) {
      const sent = body as Record<string, unknown>
      const bulk = sent?.[collection]
      if (bulk !== undefined && !Array.isArray(bulk))
        throw new BadRequest(`Invalid input for ${collection}. Reason: ${pythonic(bulk)} is not a list.`)
      if (bulk === undefined && sent?.[member] === undefined)
        throw new BadRequest(`Unable to find '${member}' in request body`, { type: 'HTTPBadRequest' })
      const items = (bulk ?? [sent[member]]) as unknown[]
      if (items.length === 0) throw new BadRequest('Resources required')
      const values = items.map(item => createValues(ctx, item))
      return ctx.transaction(async tx => {
        const made: Row[] = []
        for (const value of values) made.push(await hooks.create(tx, value))
        const shown = await view(tx, made)
        return bulk ? { [collection]: shown } : { [member]: shown[0] }
      })
    },
  })

  const update = operation({
    id: `network.${collection}.update`,
    method: 'PUT',
    path: `${spec.path}/{id}`,
    summary: `Update one of ${collection.replaceAll('_', ' ')}`,
    policy: 'authenticated',
    request: Type.Unknown(),
    async handle(ctx, { params, body, headers }) {
      const sent = (body as Record<string, unknown>)?.[member]
      if (sent === undefined)
        throw new BadRequest(`Unable to find '${member}' in request body`, { type: 'HTTPBadRequest' })
      return ctx.transaction(async tx => {
        const row = await load(tx, params.id)
        if (!tx.can(rules.update, asTarget(row)))
          throw row.project_id === tx.identity.project_id ? disallowed(rules.update.name) : notFound(params.id)
        checkRevision(row, headers['if-match'])
        const patch = updateValues(tx, row, sent)
        const changed = await (hooks.update ?? setColumns)(tx, row, patch)
        const [shown] = await view(tx, [changed])
        return { [member]: shown }
      })
    },
  })

  async function setColumns(ctx: Ctx, row: Row, patch: Record<string, unknown>): Promise<Row> {
    return touch(ctx, store, row, patch as Partial<Row>)
  }

  const remove = operation({
    id: `network.${collection}.delete`,
    method: 'DELETE',
    path: `${spec.path}/{id}`,
    summary: `Delete one of ${collection.replaceAll('_', ' ')}`,
    policy: 'authenticated',
    async handle(ctx, { params, headers }) {
      await ctx.transaction(async tx => {
        const row = await load(tx, params.id)
        if (!tx.can(rules.delete, asTarget(row)))
          throw row.project_id === tx.identity.project_id ? disallowed(rules.delete.name) : notFound(params.id)
        checkRevision(row, headers['if-match'])
        await hooks.remove(tx, row)
      })
      return reply(undefined, { status: 204 })
    },
  })

  const without = new Set(spec.without)
  const operations = [
    list,
    show,
    ...(without.has('create') ? [] : [create]),
    ...(without.has('update') ? [] : [update]),
    ...(without.has('delete') ? [] : [remove]),
  ]
  return { spec, operations, rules: [...Object.values(rules), ...attributeRules.values()], load, view }
}

/** Sets columns of a row with its revision and time; throws when someone else changed it meanwhile. */
export async function touch<Row extends StandardRow>(
  ctx: Ctx,
  store: Rows<Row>,
  row: Row,
  patch: Partial<Row>,
): Promise<Row> {
  const changed = {
    ...patch,
    revision_number: row.revision_number + 1,
    updated_at: new Date(ctx.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
  } as Partial<Row>
  const count = await store.update(ctx.db, { id: row.id, revision_number: row.revision_number } as Where<Row>, changed)
  if (count === 0)
    throw new PreconditionFailed(`The resource ${row.id} was changed by another request; try again.`, {
      type: 'StaleDataError',
    })
  return { ...row, ...changed }
}
