/** Who may do what with a resource in the network API's dialect: which rows, and which attributes of them, a caller sees and sets. */
import type { Ctx } from './context.ts'
import { lock } from './db/database.ts'
import type { Where } from './db/rows.ts'
import { Forbidden, NotFound } from './errors.ts'
import type { Target } from './policy/credentials.ts'
import { type Rule, rule } from './policy/rule.ts'
import type { Resource, ResourceSpec } from './resource.ts'
import type { Attributes } from './resource-attributes.ts'
import { visibleTo } from './resource-list.ts'
import type { StandardRow } from './standard-row.ts'

/** Who works on any project's resources. */
export const seesAll = (ctx: Ctx) =>
  ctx.identity.roles.includes('admin') || ctx.identity.is_admin === true || ctx.identity.roles.includes('service')

export function disallowed(name: string): Forbidden {
  return new Forbidden(`rule:${name} is disallowed by policy`, { type: 'PolicyNotAuthorized' })
}

export function accessTo<Row extends StandardRow>(
  spec: ResourceSpec<Row>,
  attributes: Attributes,
  rules: Resource<Row>['rules'],
) {
  const { member, collection, store, hooks } = spec
  const attributeRules = rulesOfAttributes(member, spec.attributes)

  /** Of rows that were read to be shown: what policy was asked about they need not be asked for again. */
  const targetsSeen = new WeakMap<Row, Target>()

  const notFound = (id: string) => new NotFound(spec.notFound.message(id), { type: spec.notFound.type })

  async function targetsOf(ctx: Ctx, items: readonly object[]): Promise<Target[]> {
    const extra = items.length > 0 ? await hooks.target?.(ctx, items) : undefined
    return items.map((item, i) => ({ ...item, ...extra?.[i] }))
  }

  function enforce(ctx: Ctx, guard: Rule, target: Target): void {
    if (!ctx.can(guard, target)) throw disallowed(guard.name)
  }

  /** What a caller sees of others' things, it may still not change: to it they are not there. */
  function enforceOnRow(ctx: Ctx, guard: Rule, { row, target }: { row: Row; target: Target }): void {
    if (row.project_id !== ctx.identity.project_id && !ctx.can(guard, target))
      throw new NotFound('The resource could not be found.', { type: 'HTTPNotFound' })
    enforce(ctx, guard, target)
  }

  /** The rules of the attributes that the caller set itself. */
  function enforceAttributes(ctx: Ctx, verb: 'create' | 'update', names: string[], target: Target): void {
    for (const name of names) {
      const guard = attributeRules.get(`${verb}:${name}`)
      if (guard && !ctx.can(guard, target))
        throw new Forbidden(`(rule:${rules[verb].name} and rule:${guard.name}) is disallowed by policy`, {
          type: 'PolicyNotAuthorized',
        })
    }
  }

  async function loadWithTarget(ctx: Ctx, id: string): Promise<{ row: Row; target: Target }> {
    const [row] = await store.list(ctx.db, { id } as Where<Row>, {
      limit: 1,
      ...(seesAll(ctx) ? {} : { also: eb => visibleTo(ctx, spec, eb) }),
    })
    if (!row) throw notFound(id)
    const [target] = await targetsOf(ctx, [row])
    if (!ctx.can(rules.show, target!)) throw notFound(id)
    return { row, target: target! }
  }

  const load = async (ctx: Ctx, id: string) => (await loadWithTarget(ctx, id)).row

  async function lockAndLoad(ctx: Ctx, guard: Rule, id: string): Promise<{ row: Row; target: Target }> {
    await lock(ctx.db, ctx.database.engine, `${collection}:${id}`)
    const found = await loadWithTarget(ctx, id)
    enforceOnRow(ctx, guard, found)
    return found
  }

  async function view(ctx: Ctx, rows: Row[]): Promise<Record<string, unknown>[]> {
    const seen = rows.map(row => targetsSeen.get(row))
    const targets = seen.every(target => target !== undefined) ? seen : await targetsOf(ctx, rows)
    const added = rows.length > 0 ? await hooks.view?.(ctx, rows, targets) : undefined
    return rows.map((row, i) => {
      const out: Record<string, unknown> = {}
      for (const [name, attribute] of Object.entries(attributes)) {
        if (attribute.visible === false) continue
        const guard = attributeRules.get(`get:${name}`)
        if (guard && !ctx.can(guard, targets[i]!)) continue
        const own = attribute.column === false ? undefined : row[(attribute.column ?? name) as keyof Row]
        const value = added && Object.hasOwn(added[i]!, name) ? added[i]![name] : own
        if (value !== undefined) out[name] = value
      }
      return out
    })
  }

  return {
    attributeRules,
    view,
    targetsOf,
    enforce,
    enforceAttributes,
    load,
    loadWithTarget,
    lockAndLoad,
    /** What policy was asked about for a row that is to be shown. */
    seen: (row: Row, target: Target) => void targetsSeen.set(row, target),
  }
}

function rulesOfAttributes(member: string, attributes: Attributes): Map<string, Rule> {
  const found = new Map<string, Rule>()
  for (const [name, { create, update, visible }] of Object.entries(attributes)) {
    if (typeof create === 'string') found.set(`create:${name}`, rule(`create_${member}:${name}`, create))
    if (typeof update === 'string') found.set(`update:${name}`, rule(`update_${member}:${name}`, update))
    if (typeof visible === 'string') found.set(`get:${name}`, rule(`get_${member}:${name}`, visible))
  }
  return found
}
