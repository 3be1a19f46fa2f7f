/** Quota sets of projects, and quota classes: show, defaults, usage, change, forget. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { admin, anyone, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { type TSchema, Type } from '#kernel/schema/builders.ts'
import { since, until } from '#kernel/schema/marks.ts'
import { body, flag, isAdmin, isTrue, query } from '../dialect.ts'
import {
  type AnyLimits,
  type AnyResource,
  classLimits,
  isUnified,
  networkResources,
  type QuotaResource,
  quotaLimits,
  quotaResources,
  userSubject,
} from './quota.ts'
import { type QuotaRow, quotas, userLimits } from './store.ts'
import { quotaUsage } from './usage.ts'

const isOfNetwork = (resource: AnyResource) => (networkResources as readonly string[]).includes(resource)

const ruleOf = (verb: string, check: string) => rule(`os_compute_api:os-quota-sets:${verb}`, check)

const injected = ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes'] as const

/** One field a resource, each in the versions that have it. */
function fields<T extends TSchema>(value: T, lastNetwork: '2.35' | '2.49', groups?: '2.50') {
  const out: Record<string, TSchema> = {}
  for (const resource of [...quotaResources, ...networkResources]) {
    if (isOfNetwork(resource)) out[resource] = until(lastNetwork, value)
    else if ((injected as readonly string[]).includes(resource)) out[resource] = until('2.56', value)
    else if (groups && resource.startsWith('server_group')) out[resource] = since(groups, value)
    else out[resource] = Type.Optional(value)
  }
  return out
}

const limit = Type.Integer({ minimum: -1 })
const setFields = fields(limit, '2.35')
const quotaSet = Type.Object(setFields)
const quotaSetWithId = Type.Object({ id: Type.String(), ...setFields })
const detailed = Type.Object({
  id: Type.String(),
  ...fields(Type.Object({ in_use: Type.Integer(), limit: Type.Integer(), reserved: Type.Integer() }), '2.35'),
})

/** Sent as a number or as text. */
const sentLimit = Type.Unsafe<number | string>({
  type: ['integer', 'string'],
  pattern: '^-?[0-9]+$',
  minimum: -1,
  maximum: 0x7fff_ffff,
})

const withNetwork = (limits: AnyLimits) => ({
  ...Object.fromEntries(networkResources.map(resource => [resource, -1])),
  ...limits,
})

const path = '/v2.1/os-quota-sets/{project_id}'
/** The target of policy: the project of the path. */
const load = async (_ctx: Ctx, { params }: { params: { project_id: string } }) => ({ project_id: params.project_id })

/** Those who may ask for any project are told which are none. */
async function checkProject(ctx: Ctx, id: string): Promise<void> {
  if (isAdmin(ctx) && !(await ctx.services.identity.project(ctx, id)))
    throw new BadRequest(`Project ID ${id} is not a valid project.`)
}

const ofUser = query({ user_id: Type.Optional(Type.String()) })

const show = operation({
  id: 'compute.quota_sets.show',
  method: 'GET',
  path,
  summary: "Show a project's quotas",
  policy: ruleOf('show', projectReaderOrAdmin),
  query: ofUser,
  response: body('quota_set', quotaSetWithId),
  load,
  async handle(ctx, { params: { project_id }, query: { user_id } }) {
    await checkProject(ctx, project_id)
    return { quota_set: { id: project_id, ...withNetwork(await quotaLimits(ctx, project_id, user_id)) } }
  },
})

const detail = operation({
  id: 'compute.quota_sets.detail',
  method: 'GET',
  path: `${path}/detail`,
  summary: "Show a project's quotas with what is used of them",
  policy: ruleOf('detail', projectReaderOrAdmin),
  query: ofUser,
  response: body('quota_set', detailed),
  load,
  async handle(ctx, { params: { project_id }, query: { user_id } }) {
    await checkProject(ctx, project_id)
    const used = await quotaUsage(ctx, project_id, user_id)
    const limits = Object.entries(withNetwork(await quotaLimits(ctx, project_id, user_id)))
    const shown = limits.map(([key, limit]) => [key, { in_use: used[key as QuotaResource] ?? 0, limit, reserved: 0 }])
    return { quota_set: { id: project_id, ...Object.fromEntries(shown) } }
  },
})

const defaults = operation({
  id: 'compute.quota_sets.defaults',
  method: 'GET',
  path: `${path}/defaults`,
  summary: 'Show the quotas of projects without their own',
  policy: ruleOf('defaults', anyone),
  response: body('quota_set', quotaSetWithId),
  async handle(ctx, { params: { project_id } }) {
    await checkProject(ctx, project_id)
    return { quota_set: { id: project_id, ...withNetwork(await classLimits(ctx, 'default')) } }
  },
})

/** The limits that a body sets, as numbers. */
function asked(sent: Record<string, unknown>): [AnyResource, number][] {
  const limits = Object.entries(sent).filter(([key]) => key !== 'force')
  return limits.map(([key, value]) => {
    const number = Number(value)
    if (number < -1 || number > 0x7fff_ffff)
      throw new BadRequest(
        `Invalid input for field/attribute ${key}. Value: ${value}. It must be between -1 and 2147483647`,
      )
    return [key as AnyResource, number]
  })
}

async function set(ctx: Ctx, kind: QuotaRow['kind'], subject: string, limits: [AnyResource, number][]) {
  const wanted = limits.map(([resource, limit_value]) => ({ kind, subject, resource, limit_value }))
  await quotas.put(ctx.db, ['kind', 'subject', 'resource'], wanted)
}

const unlimited = Number.POSITIVE_INFINITY
const amount = (limit: number) => (limit < 0 ? unlimited : limit)

/** A limit is no less than what is used already, or promised to users; all users of a project have no more than the project. */
async function checkRange(ctx: Ctx, project: string, user: string | undefined, limits: [AnyResource, number][]) {
  const used = await quotaUsage(ctx, project, user)
  const promised = await promisedTo(ctx, project, user)
  const whole = await quotaLimits(ctx, project)
  for (const [resource, limit] of limits) {
    const inUse = used[resource as QuotaResource] ?? 0
    const others = promised[resource] ?? 0
    const minimum = user === undefined ? Math.max(inUse, others) : inUse
    if (amount(limit) < minimum)
      throw new BadRequest(
        `Quota limit ${limit} for ${resource} must be greater than or equal to already used and reserved ${minimum}.`,
      )
    const maximum = user === undefined ? unlimited : amount(whole[resource] ?? -1) - others
    if (amount(limit) > maximum)
      throw new BadRequest(`Quota limit ${limit} for ${resource} must be less than or equal to ${maximum}.`)
  }
}

/** What the users of a project, but for one, may have by limits of their own. */
async function promisedTo(ctx: Ctx, project: string, but: string | undefined): Promise<AnyLimits> {
  const sums: AnyLimits = {}
  for (const { subject, resource, limit_value } of await userLimits(ctx.db, project)) {
    if (but !== undefined && subject === userSubject(project, but)) continue
    sums[resource as AnyResource] = (sums[resource as AnyResource] ?? 0) + Math.max(limit_value, 0)
  }
  return sums
}

const update = operation({
  id: 'compute.quota_sets.update',
  method: 'PUT',
  path,
  summary: "Change a project's quotas",
  policy: ruleOf('update', admin),
  query: ofUser,
  request: body(
    'quota_set',
    Type.Object({ ...fields(sentLimit, '2.35'), force: Type.Optional(flag) }, { additionalProperties: false }),
  ),
  response: body('quota_set', quotaSet),
  load,
  async handle(ctx, { params: { project_id }, query: { user_id }, body: { quota_set } }) {
    await checkProject(ctx, project_id)
    const limits = asked(quota_set)
    // Those limits are changed in identity; upstream takes the request, and changes nothing.
    if (isUnified(ctx)) return { quota_set: withNetwork(await quotaLimits(ctx, project_id)) }
    return ctx.transaction(async tx => {
      if (!isTrue(quota_set.force as boolean | string | undefined)) await checkRange(tx, project_id, user_id, limits)
      // A user has no share of these.
      const whole = limits.filter(([resource]) => user_id === undefined || isOfNetwork(resource))
      await set(tx, 'project', project_id, whole)
      if (user_id !== undefined) {
        const own = limits.filter(limit => !whole.includes(limit))
        await set(tx, 'user', userSubject(project_id, user_id), own)
      }
      return { quota_set: withNetwork(await quotaLimits(tx, project_id, user_id)) }
    })
  },
})

const remove = operation({
  id: 'compute.quota_sets.delete',
  method: 'DELETE',
  path,
  summary: 'Give a project the default quotas again',
  policy: ruleOf('delete', admin),
  query: ofUser,
  load,
  async handle(ctx, { params: { project_id }, query: { user_id } }) {
    await ctx.transaction(async tx => {
      if (user_id !== undefined) {
        await quotas.remove(tx.db, { kind: 'user', subject: userSubject(project_id, user_id) })
        return
      }
      await quotas.remove(tx.db, { kind: 'project', subject: project_id })
      const subjects = (await userLimits(tx.db, project_id)).map(row => row.subject)
      await quotas.remove(tx.db, { kind: 'user', subject: [...new Set(subjects)] })
    })
    return reply(undefined, { status: 202 })
  },
})

const classFields = fields(limit, '2.49', '2.50')
const classPath = '/v2.1/os-quota-class-sets/{class_name}'
const classRule = (verb: string) => rule(`os_compute_api:os-quota-class-sets:${verb}`, admin)

const showClass = operation({
  id: 'compute.quota_class_sets.show',
  method: 'GET',
  path: classPath,
  summary: 'Show the quotas of a class',
  policy: classRule('show'),
  response: body('quota_class_set', Type.Object({ id: Type.String(), ...classFields })),
  handle: async (ctx, { params }) => ({
    quota_class_set: { id: params.class_name, ...withNetwork(await classLimits(ctx, params.class_name)) },
  }),
})

const updateClass = operation({
  id: 'compute.quota_class_sets.update',
  method: 'PUT',
  path: classPath,
  summary: 'Change the quotas of a class; `default` holds for every project without its own',
  policy: classRule('update'),
  request: body('quota_class_set', Type.Object(fields(sentLimit, '2.49'), { additionalProperties: false })),
  response: body('quota_class_set', Type.Object(classFields)),
  async handle(ctx, { params, body: { quota_class_set } }) {
    if (params.class_name.length > 255) throw new BadRequest('quota_class_name has more than 255 characters.')
    return ctx.transaction(async tx => {
      await set(tx, 'class', params.class_name, asked(quota_class_set))
      return { quota_class_set: withNetwork(await classLimits(tx, params.class_name)) }
    })
  },
})

export const quotaOperations: Operation[] = [show, detail, defaults, update, remove, showClass, updateClass]
