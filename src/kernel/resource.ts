/** A resource in the network API's dialect: five operations from one attribute map, bulk create, filters, sorting, paging, revisions, tags. */
import type { Ctx } from './context.ts'
import type { Rows } from './db/rows.ts'
import { type Operation, operation, reply } from './operation.ts'
import type { Target } from './policy/credentials.ts'
import { type Rule, rule } from './policy/rule.ts'
import { accessTo, seesAll } from './resource-access.ts'
import {
  type Attributes,
  answerOf,
  badRequest,
  bodyOf,
  createValues,
  itemsOf,
  standardAttributes,
  updateValues,
} from './resource-attributes.ts'
import { type ListSpec, listRows, type Query, selectFields } from './resource-list.ts'
import { type TSchema, Type } from './schema/builders.ts'
import { checkRevision, columnsOf, type StandardRow, touch } from './standard-row.ts'

export interface ResourceHooks<Row extends StandardRow> {
  /** Runs before a list is made. */
  beforeList?(ctx: Ctx): Promise<void>
  /** Runs before the rows of one request are made, in their transaction: for locks, which must be taken in one order. */
  prepare?(ctx: Ctx, values: Record<string, unknown>[]): Promise<void>
  /** Makes the row and all that goes with it, in the transaction that `ctx.db` is. `values` has every creatable attribute, defaults filled in. */
  create(ctx: Ctx, values: Record<string, unknown>): Promise<Row>
  /** Makes the change (in a transaction) and returns the new row. `patch` has only what the caller sent. Without it, the attributes' columns are set. */
  update?(ctx: Ctx, row: Row, patch: Record<string, unknown>): Promise<Row>
  /** Removes the row and what hangs on it, in a transaction. */
  remove(ctx: Ctx, row: Row): Promise<void>
  /**
   * What the view adds to the row's own columns, for all rows at once so that related rows are fetched by one query. `targets`: what `target`
   * found out of each row, which need not be asked for again.
   */
  view?(ctx: Ctx, rows: Row[], targets: readonly Target[]): Promise<Record<string, unknown>[]>
  /** What policy checks may name beyond the row's own members (`network:project_id`), for rows or create values, all at once. */
  target?(ctx: Ctx, items: readonly object[]): Promise<Record<string, unknown>[]>
}

export interface ResourceSpec<Row extends StandardRow> extends ListSpec<Row> {
  /** `/v2.0/security-groups` */
  path: string
  /** Key of lists, `security_groups`. */
  collection: string
  /** Key of one, `security_group`; also in policy names (`create_security_group`). */
  member: string
  /** The error that says it is not there: type and words. */
  notFound: { type: string; message(id: string): string }
  attributes: Attributes
  store: Rows<Row>
  policy: { create: string; show: string; update: string; delete: string }
  hooks: ResourceHooks<Row>
  /** Without these operations (`agents` are not created by users). */
  without?: ('create' | 'update' | 'delete')[]
}

export interface Resource<Row extends StandardRow> {
  spec: ResourceSpec<Row>
  operations: Operation[]
  /** Of one of them. */
  answer: TSchema
  /** Of a list of them. */
  listAnswer: TSchema
  rules: { create: Rule; show: Rule; update: Rule; delete: Rule }
  /** Every rule, attributes' ones included. */
  allRules: Rule[]
  /** The row, or `NotFound` in the network API's words, also when the caller may not see it. */
  load(ctx: Ctx, id: string): Promise<Row>
  /** As `load`, and the caller may do what the rule guards. Others who change it wait until this transaction ends. */
  loadFor(ctx: Ctx, guard: Rule, id: string): Promise<Row>
  view(ctx: Ctx, rows: Row[]): Promise<Record<string, unknown>[]>
  /** Makes one inside other work, in the open transaction, from a body as clients write it. Policy is the caller's affair. */
  make(ctx: Ctx, body: Record<string, unknown>): Promise<Row>
}

export function resource<Row extends StandardRow>(spec: ResourceSpec<Row>): Resource<Row> {
  const { member, collection, store, hooks } = spec
  const attributes: Attributes = { ...standardAttributes, ...spec.attributes }
  const rules = {
    create: rule(`create_${member}`, spec.policy.create),
    show: rule(`get_${member}`, spec.policy.show),
    update: rule(`update_${member}`, spec.policy.update),
    delete: rule(`delete_${member}`, spec.policy.delete),
  }
  const one = answerOf(attributes)
  const answer: TSchema = Type.Object({ [member]: one })
  const links = Type.Array(Type.Object({ rel: Type.String(), href: Type.String() }))
  const listAnswer: TSchema = Type.Object({
    [collection]: Type.Array(one),
    [`${collection}_links`]: Type.Optional(links),
  })
  const [made, changed] = [bodyOf(attributes, 'create'), bodyOf(attributes, 'update')]
  const access = accessTo(spec, attributes, rules)
  const { attributeRules, view, targetsOf, enforceAttributes, load, loadWithTarget, lockAndLoad } = access

  /** Events in Neutron's words. What is done at once has a start and an end all the same: what was asked for, and what came of it. */
  function told(verb: string, resource_id: string, asked: object, became: object) {
    return [
      { type: `${member}.${verb}.start`, resource_id, payload: { ...asked } },
      { type: `${member}.${verb}.end`, resource_id, payload: { ...became } },
    ]
  }

  const list = operation({
    id: `network.${collection}.list`,
    method: 'GET',
    path: spec.path,
    summary: `List ${collection.replaceAll('_', ' ')}`,
    policy: 'authenticated',
    response: listAnswer,
    async handle(ctx, { query, url }) {
      await hooks.beforeList?.(ctx)
      const permitted = async (rows: Row[]) => {
        const targets = await targetsOf(ctx, rows)
        for (const [i, row] of rows.entries()) access.seen(row, targets[i]!)
        return rows.filter((_, i) => ctx.can(rules.show, targets[i]!))
      }
      const hidden = (name: string) => {
        const guard = attributeRules.get(`get:${name}`)
        return guard !== undefined && !ctx.can(guard)
      }
      const run = { ...spec, attributes, seesAll: seesAll(ctx), hidden, permitted, view }
      return listRows(ctx, run, query as Query, url)
    },
  })

  const show = operation({
    id: `network.${collection}.show`,
    method: 'GET',
    path: `${spec.path}/{id}`,
    summary: `Show one of ${collection.replaceAll('_', ' ')}`,
    policy: 'authenticated',
    response: answer,
    async handle(ctx, { params, query }) {
      const { row, target } = await loadWithTarget(ctx, params.id)
      access.seen(row, target)
      const [item] = await view(ctx, [row])
      return { [member]: selectFields(item!, query as Query) }
    },
  })

  const create = operation({
    id: `network.${collection}.create`,
    method: 'POST',
    path: spec.path,
    summary: `Create ${collection.replaceAll('_', ' ')}`,
    policy: 'authenticated',
    request: Type.Unknown(),
    takes: Type.Union([Type.Object({ [member]: made }), Type.Object({ [collection]: Type.Array(made) })]),
    response: Type.Union([answer, Type.Object({ [collection]: Type.Array(one) })]),
    status: 201,
    async handle(ctx, { body }) {
      const { items, bulk } = itemsOf(spec, body)
      const values = items.map(item => createValues(ctx, attributes, item, seesAll(ctx)))
      return ctx.transaction(async tx => {
        const targets = await targetsOf(tx, values)
        for (const [i, target] of targets.entries()) {
          access.enforce(tx, rules.create, target)
          const sent = items[i] as Record<string, unknown>
          const set = Object.keys(sent).filter(name => values[i]![name] !== attributes[name]!.default)
          enforceAttributes(tx, 'create', set, target)
        }
        await hooks.prepare?.(tx, values)
        const made: Row[] = []
        for (const value of values) made.push(await hooks.create(tx, value))
        const shown = await view(tx, made)
        const tellings = made.map(({ id }, i) => told('create', id, { [member]: items[i] }, { [member]: shown[i] }))
        await tx.events.emitAll(tx, tellings.flat())
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
    takes: Type.Object({ [member]: changed }),
    response: answer,
    async handle(ctx, { params, body, headers }) {
      const sent = (body as Record<string, unknown> | null)?.[member]
      if (sent === undefined) throw badRequest(`Unable to find '${member}' in request body`)
      return ctx.transaction(async tx => {
        const { row, target } = await lockAndLoad(tx, rules.update, params.id)
        const patch = updateValues(attributes, sent)
        enforceAttributes(tx, 'update', Object.keys(patch), { ...target, ...patch, project_id: row.project_id })
        checkRevision(row, headers['if-match'])
        const changed = hooks.update
          ? await hooks.update(tx, row, patch)
          : await touch(tx, store, row, columnsOf<Row>(attributes, patch))
        const [shown] = await view(tx, [changed])
        await tx.events.emitAll(tx, told('update', row.id, { id: row.id, [member]: sent }, { [member]: shown }))
        return { [member]: shown }
      })
    },
  })

  const remove = operation({
    id: `network.${collection}.delete`,
    method: 'DELETE',
    path: `${spec.path}/{id}`,
    summary: `Delete one of ${collection.replaceAll('_', ' ')}`,
    policy: 'authenticated',
    async handle(ctx, { params, headers }) {
      await ctx.transaction(async tx => {
        const { row } = await lockAndLoad(tx, rules.delete, params.id)
        checkRevision(row, headers['if-match'])
        await hooks.remove(tx, row)
        const its = { [`${member}_id`]: row.id }
        await tx.events.emitAll(tx, told('delete', row.id, its, its))
      })
      return reply(undefined, { status: 204 })
    },
  })

  const without = new Set(spec.without)
  return {
    spec,
    operations: [
      list,
      show,
      ...(without.has('create') ? [] : [create]),
      ...(without.has('update') ? [] : [update]),
      ...(without.has('delete') ? [] : [remove]),
    ],
    answer,
    listAnswer,
    rules,
    allRules: [...Object.values(rules), ...attributeRules.values()],
    load,
    loadFor: async (ctx, guard, id) => (await lockAndLoad(ctx, guard, id)).row,
    view,
    async make(ctx, body) {
      const values = createValues(ctx, attributes, body, true)
      await hooks.prepare?.(ctx, [values])
      return hooks.create(ctx, values)
    },
  }
}
