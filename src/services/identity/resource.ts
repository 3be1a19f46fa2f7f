/** A resource in Keystone's dialect: five operations from one description. What clients send beyond the known attributes is kept and shown. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import type { Rows, Where } from '#kernel/db/rows.ts'
import { BadRequest, Forbidden } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import type { Scope, Target } from '#kernel/policy/credentials.ts'
import type { Rule } from '#kernel/policy/rule.ts'
import { type TSchema, Type } from '#kernel/schema/builders.ts'
import { linksAnswer } from './answers.ts'
import { conflict, notFound } from './faults.ts'
import { collectionOf, equals, first, inexact, isYes } from './listing.ts'
import { checkMutable, patched } from './options.ts'
import { allScopes, identityRule } from './policy.ts'
import { identityChanged } from './revocations/revocation.ts'

export interface StoredRow {
  id: string
  extra: Record<string, unknown>
}

export type Values = Record<string, unknown>

export interface ResourceSpec<Row extends StoredRow> {
  /** `user`, and `users`: also the path below /v3. */
  member: string
  collection: string
  /** The extension that it belongs to: part of the path. */
  extension?: string
  store: Rows<Row>
  /** What a client may set, and the name of what it must. */
  attributes: Record<string, TSchema>
  required: readonly string[]
  /** Attributes that stay as they were made. */
  fixed?: readonly string[]
  /** Text columns that lists are filtered by; `enabled` is filtered when it is an attribute. */
  filters: readonly string[]
  policy: { get: string; list: string; create: string; update: string; delete: string; scopes?: readonly Scope[] }
  /** What the rules look at. */
  target?(row: Partial<Row>): Target
  view(ctx: Ctx, row: Row): object | Promise<object>
  /** More of one thing, when a query asks for it. */
  more?(ctx: Ctx, row: Row, query: Values): Promise<object>
  /** Before a list: brings in what is kept elsewhere. */
  bringIn?(ctx: Ctx, asked: { domain_id?: string | undefined; name?: string | undefined }): Promise<void>
  /** Rows beyond the filters that a list must not show. */
  listed?(ctx: Ctx, query: Values): Where<Row> | Promise<Where<Row>>
  /** False: what a client makes without naming a domain has none. */
  ownDomain?: false
  /** What the rule of lists looks at, besides the domain. */
  listTarget?(ctx: Ctx): Target
  /** Lists show only what the caller may get one by one. */
  listOwn?: true
  /** What policy cannot say: throws when the caller may not touch the row (as it is, or would become). */
  guard?(ctx: Ctx, row: Partial<Row>): Promise<void>
  /** Filters that are not a column. */
  keep?(query: Values, row: Row): boolean
  /** A client may choose the id; `create` finds it among the values. In the path: it is made by PUT, and `create` finds it there too. */
  chosenId?: true | 'in path'
  /** Nothing beyond the known attributes is taken. */
  strict?: true
  /** Makes the row; everything it needs is there, in a transaction. */
  create(ctx: Ctx, values: Values, extra: Values): Promise<Row>
  /** Says what the change means for the row; in a transaction, after identity's generation moved on to `generation`. */
  update?(ctx: Ctx, row: Row, patch: Values, generation: number): Promise<Partial<Row>>
  /** Removes what hangs on the row; in a transaction. */
  remove(ctx: Ctx, row: Row): Promise<void>
  /** Keystone's details of a clash of names. */
  duplicate(values: Values): string
}

export interface Resource<Row extends StoredRow> {
  operations: Operation[]
  /** Of one of them. */
  answer: TSchema
  rules: { get: Rule; list: Rule; create: Rule; update: Rule; delete: Rule }
  /** The row, or `NotFound`. */
  find(ctx: Ctx, id: string): Promise<Row>
}

export function resource<Row extends StoredRow>(spec: ResourceSpec<Row>): Resource<Row> {
  const { member, collection, store } = spec
  const path = `/v3/${spec.extension ? `${spec.extension}/` : ''}${collection}` as `/v3/${string}`
  const inPath = spec.chosenId === 'in path'
  const itemPath = `${path}/{id}` as const
  const scopes = spec.policy.scopes ?? allScopes
  const rules = {
    get: identityRule(`get_${member}`, spec.policy.get, scopes),
    list: identityRule(`list_${collection}`, spec.policy.list, scopes),
    create: identityRule(`create_${member}`, spec.policy.create, scopes),
    update: identityRule(`update_${member}`, spec.policy.update, scopes),
    delete: identityRule(`delete_${member}`, spec.policy.delete, scopes),
  }
  const targetOf = (row: Partial<Row>): Target => spec.target?.(row) ?? {}
  const body = (required: readonly string[], minProperties: number) => {
    const properties = Object.entries(spec.attributes).map(
      ([name, schema]) => [name, required.includes(name) ? schema : Type.Optional(schema)] as const,
    )
    return Type.Object({
      [member]: Type.Object(Object.fromEntries(properties), {
        minProperties,
        ...(spec.strict && { additionalProperties: false }),
      }),
    })
  }

  // What else a client has sent is shown with it.
  const one = Type.Object({
    id: Type.String(),
    ...Object.fromEntries(
      Object.entries(spec.attributes).map(([name, schema]) => [name, Type.Optional(Type.Union([schema, Type.Null()]))]),
    ),
    links: Type.Optional(linksAnswer),
  })
  const answer: TSchema = Type.Object({ [member]: one })
  const listAnswer: TSchema = Type.Object({ [collection]: Type.Array(one), links: linksAnswer })

  async function find(ctx: Ctx, id: string): Promise<Row> {
    const row = await store.find(ctx.db, { id } as Where<Row>)
    if (!row) throw notFound(member, id)
    return row
  }

  /** A caller who may see nothing of the kind must not learn which ids exist. */
  async function load(ctx: Ctx, id: string, rule: Rule): Promise<Target & { row: Row }> {
    const row = await store.find(ctx.db, { id } as Where<Row>)
    if (!row) {
      ctx.enforce(rule, {})
      throw notFound(member, id)
    }
    ctx.enforce(rule, targetOf(row))
    await spec.guard?.(ctx, row)
    return { ...targetOf(row), row }
  }

  async function mayGet(ctx: Ctx, list: Row[]): Promise<Row[]> {
    const own: Row[] = []
    for (const row of list) {
      if (!ctx.can(rules.get, targetOf(row))) continue
      const refused = await spec.guard?.(ctx, row).then(
        () => false,
        error => error instanceof Forbidden,
      )
      if (!refused) own.push(row)
    }
    return own
  }

  function split(sent: Values): { values: Values; extra: Values } {
    const isKnown = (name: string) => Object.hasOwn(spec.attributes, name) || (name === 'id' && spec.chosenId === true)
    const known = Object.entries(sent).filter(([name]) => isKnown(name))
    const extra = Object.entries(sent).filter(([name]) => !isKnown(name) && name !== 'id' && name !== 'links')
    return { values: Object.fromEntries(known), extra: Object.fromEntries(extra) }
  }

  async function unlessTaken<T>(values: Values, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof UniqueViolation) throw conflict(member, spec.duplicate(values))
      throw error
    }
  }

  const list = operation({
    id: `identity.${collection}.list`,
    method: 'GET',
    path,
    summary: `List ${collection}`,
    policy: rules.list,
    response: listAnswer,
    load: async (ctx, { query }) => ({
      ...spec.listTarget?.(ctx),
      'target.domain_id': first((query as { domain_id?: string }).domain_id) ?? ctx.identity.domain_id,
    }),
    async handle(ctx, { query, url }) {
      const where = { ...equals(query, spec.filters), ...(await spec.listed?.(ctx, query as Values)) } as Where<Row>
      const { domain_id, name } = where as { domain_id?: string; name?: string }
      await spec.bringIn?.(ctx, { domain_id, name })
      const enabled = first((query as { enabled?: string }).enabled)
      if (enabled !== undefined && 'enabled' in spec.attributes) Object.assign(where, { enabled: isYes(enabled) })
      const found = await store.list(ctx.db, where, { orderBy: [{ column: 'id', direction: 'asc' }] })
      const kept = inexact(query, found, spec.filters).filter(row => spec.keep?.(query as Values, row) ?? true)
      const own = spec.listOwn ? await mayGet(ctx, kept) : kept
      return { [collection]: await Promise.all(own.map(row => spec.view(ctx, row))), links: collectionOf(ctx, url) }
    },
  })

  const show = operation({
    id: `identity.${collection}.show`,
    method: 'GET',
    path: itemPath,
    summary: `Show a ${member}`,
    policy: rules.get,
    response: answer,
    load: (ctx, { params }) => load(ctx, params.id, rules.get),
    async handle(ctx, { target, query }) {
      const more = await spec.more?.(ctx, target.row, query as Values)
      return { [member]: { ...(await spec.view(ctx, target.row)), ...more } }
    },
  })

  const create = operation({
    id: `identity.${collection}.create`,
    method: inPath ? 'PUT' : 'POST',
    path: inPath ? itemPath : path,
    summary: `Create a ${member}`,
    policy: rules.create,
    request: body(spec.required, 0),
    response: answer,
    status: 201,
    // Before the body is looked at: could the caller make one at all?
    load: async ctx => {
      const { domain_id, user_id } = ctx.identity
      return targetOf({ domain_id, user_id } as unknown as Partial<Row>)
    },
    async handle(ctx, { body, params }) {
      const { values, extra } = split((body as Record<string, Values>)[member]!)
      if (inPath) values.id = (params as { id: string }).id
      if (values.options !== undefined) values.options = patched({}, values.options)
      if (spec.ownDomain !== false && 'domain_id' in spec.attributes) values.domain_id ??= domainOfCaller(ctx)
      ctx.enforce(rules.create, targetOf(values as Partial<Row>))
      await spec.guard?.(ctx, values as Partial<Row>)
      return unlessTaken(values, () =>
        ctx.transaction(async tx => {
          const row = await spec.create(tx, values, extra)
          await identityChanged(tx)
          return { [member]: { ...(await spec.view(tx, row)), ...(await spec.more?.(tx, row, {})) } }
        }),
      )
    },
  })

  const update = operation({
    id: `identity.${collection}.update`,
    method: 'PATCH',
    path: itemPath,
    summary: `Change a ${member}`,
    policy: rules.update,
    request: body([], inPath ? 0 : 1),
    response: answer,
    load: (ctx, { params }) => load(ctx, params.id, rules.update),
    async handle(ctx, { body, target }) {
      const { values, extra } = split((body as Record<string, Values>)[member]!)
      for (const name of spec.fixed ?? []) {
        if (!(name in values)) continue
        if (values[name] !== (target.row as Values)[name]) throw unchangeable(name)
        delete values[name]
      }
      checkMutable(member, 'update', target.row, values.options)
      if (values.options !== undefined) {
        values.options = patched((target.row as { options?: Values }).options ?? {}, values.options)
      }
      const wanted = { ...target.row, ...values }
      ctx.enforce(rules.update, targetOf(wanted))
      await spec.guard?.(ctx, wanted)
      return unlessTaken(wanted, () =>
        ctx.transaction(async tx => {
          const generation = await identityChanged(tx)
          const row = await find(tx, target.row.id)
          const columns = (await spec.update?.(tx, row, values, generation)) ?? (values as Partial<Row>)
          const patch = { ...columns, extra: { ...row.extra, ...extra } } as Partial<Row>
          await store.update(tx.db, { id: row.id } as Where<Row>, patch)
          const changed = { ...row, ...patch }
          return { [member]: { ...(await spec.view(tx, changed)), ...(await spec.more?.(tx, changed, {})) } }
        }),
      )
    },
  })

  const remove = operation({
    id: `identity.${collection}.delete`,
    method: 'DELETE',
    path: itemPath,
    summary: `Delete a ${member}`,
    policy: rules.delete,
    load: (ctx, { params }) => load(ctx, params.id, rules.delete),
    async handle(ctx, { target }) {
      checkMutable(member, 'delete', target.row)
      await ctx.transaction(async tx => {
        await identityChanged(tx)
        await spec.remove(tx, target.row)
        await store.remove(tx.db, { id: target.row.id } as Where<Row>)
      })
      return undefined
    },
  })

  return { operations: [list, show, create, update, remove], answer, rules, find }
}

function unchangeable(name: string): BadRequest | Forbidden {
  const words: Record<string, string> = {
    domain_id: 'Cannot change Domain ID',
    parent_id: 'Update of `parent_id` is not allowed.',
  }
  if (name === 'parent_id') return new Forbidden(words[name])
  return new BadRequest(words[name] ?? `Update of \`${name}\` is not allowed.`)
}

/** The domain that a new thing belongs to when the client does not say: that of its token. */
export function domainOfCaller(ctx: Ctx): string {
  return ctx.identity.domain_id ?? ctx.identity.project_domain_id ?? 'default'
}
