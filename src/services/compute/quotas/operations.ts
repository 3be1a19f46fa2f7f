/** Quota sets of projects, and quota classes: show, defaults, usage, change, forget. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { admin, anyone, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { type TSchema, Type } from '#kernel/schema/builders.ts'
import { since, until } from '#kernel/schema/marks.ts'
import { body, flag, isTrue, query } from '../dialect.ts'
import { classLimits, type Limits, type QuotaResource, quotaLimits, quotaResources } from './quota.ts'
import { quotas } from './store.ts'
import { quotaUsage } from './usage.ts'

const ruleOf = (verb: string, check: string) => rule(`os_compute_api:os-quota-sets:${verb}`, check)

/** Resources of other services, that were once limited here: never limited now. */
const network = ['floating_ips', 'fixed_ips', 'security_groups', 'security_group_rules'] as const
const injected = ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes'] as const

type Resource = QuotaResource | (typeof network)[number]

/** One field a resource, each in the versions that have it. */
function fields<T extends TSchema>(value: T, lastNetwork: '2.35' | '2.49', groups?: '2.50') {
  const out: Record<string, TSchema> = {}
  for (const resource of [...quotaResources, ...network] as Resource[]) {
    if ((network as readonly string[]).includes(resource)) out[resource] = until(lastNetwork, value)
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

const withNetwork = (limits: Limits) => ({
  ...limits,
  ...Object.fromEntries(network.map(resource => [resource, -1])),
})

const path = '/v2.1/os-quota-sets/{project_id}'
/** The target of policy: the project of the path. */
const load = async (_ctx: Ctx, { params }: { params: { project_id: string } }) => ({ project_id: params.project_id })
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
  handle: async (ctx, { params }) => ({
    quota_set: { id: params.project_id, ...withNetwork(await quotaLimits(ctx, params.project_id)) },
  }),
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
  async handle(ctx, { params }) {
    const used = await quotaUsage(ctx, params.project_id)
    const limits = Object.entries(withNetwork(await quotaLimits(ctx, params.project_id)))
    const shown = limits.map(([key, limit]) => [key, { in_use: used[key as QuotaResource] ?? 0, limit, reserved: 0 }])
    return { quota_set: { id: params.project_id, ...Object.fromEntries(shown) } }
  },
})

const defaults = operation({
  id: 'compute.quota_sets.defaults',
  method: 'GET',
  path: `${path}/defaults`,
  summary: 'Show the quotas of projects without their own',
  policy: ruleOf('defaults', anyone),
  response: body('quota_set', quotaSetWithId),
  handle: async (ctx, { params }) => ({
    quota_set: { id: params.project_id, ...withNetwork(await classLimits(ctx, 'default')) },
  }),
})

/** The limits that a body sets, as numbers. */
function asked(sent: Record<string, unknown>): [Resource, number][] {
  const limits = Object.entries(sent).filter(([key]) => key !== 'force')
  return limits.map(([key, value]) => {
    const number = Number(value)
    if (number < -1 || number > 0x7fff_ffff)
      throw new BadRequest(
        `Invalid input for field/attribute ${key}. Value: ${value}. It must be between -1 and 2147483647`,
      )
    return [key as Resource, number]
  })
}

async function set(ctx: Ctx, kind: 'project' | 'class', subject: string, limits: [Resource, number][]) {
  for (const [resource, limit_value] of limits) {
    if ((network as readonly string[]).includes(resource)) continue
    const key = { kind, subject, resource }
    if ((await quotas.update(ctx.db, key, { limit_value })) === 0) await quotas.insert(ctx.db, { ...key, limit_value })
  }
}

async function checkUsed(ctx: Ctx, project: string, limits: [Resource, number][]): Promise<void> {
  const used = await quotaUsage(ctx, project)
  for (const [resource, limit] of limits) {
    const minimum = used[resource as QuotaResource] ?? 0
    if (limit >= 0 && limit < minimum)
      throw new BadRequest(
        `Quota limit ${limit} for ${resource} must be greater than or equal to already used and reserved ${minimum}.`,
      )
  }
}

/** There are no limits of single users. */
function refuseUser(user: string | undefined): void {
  if (user !== undefined)
    throw new BadRequest('Quotas of single users are not supported: set the quota of the project, without user_id.')
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
  async handle(ctx, { params, query, body: { quota_set } }) {
    refuseUser(query.user_id)
    const limits = asked(quota_set)
    return ctx.transaction(async tx => {
      if (!isTrue(quota_set.force as boolean | string | undefined)) await checkUsed(tx, params.project_id, limits)
      await set(tx, 'project', params.project_id, limits)
      return { quota_set: withNetwork(await quotaLimits(tx, params.project_id)) }
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
  async handle(ctx, { params, query }) {
    refuseUser(query.user_id)
    await quotas.remove(ctx.db, { kind: 'project', subject: params.project_id })
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
