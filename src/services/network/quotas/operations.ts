/** The quotas API: a project's limits, the defaults, what is used of them. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Forbidden, NotFound } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { type Rule, rule } from '#kernel/policy/rule.ts'
import { disallowed } from '#kernel/resource-access.ts'
import { type Attributes, bodyOf, boolean, toInteger, updateValues } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { admin } from '../policy.ts'
import { defaultQuotas, isUnified, quotasOf } from './quota.ts'
import { type QuotaResource, quotaResources, quotaRows, usedBy } from './store.ts'

const guards = {
  get: rule('get_quota', admin),
  update: rule('update_quota', admin),
  delete: rule('delete_quota', admin),
}
export const quotaRules: Rule[] = Object.values(guards)

const limit = {
  schema: Type.Integer({ minimum: -1, maximum: 2_147_483_647 }),
  convert: toInteger,
  update: true,
} as const

const attributes: Attributes = {
  ...Object.fromEntries(quotaResources.map(name => [name, limit])),
  force: boolean({ update: true }),
  check_limit: boolean({ update: true }),
}

const limits = Type.Record(Type.String(), Type.Integer())
const oneQuota = Type.Object({ quota: limits })
const use = Type.Object({ limit: Type.Integer(), used: Type.Integer(), reserved: Type.Integer() })

/** A project's members see its own limits; others' are the administrator's. */
function enforceRead(ctx: Ctx, projectId: string): void {
  if (projectId !== ctx.identity.project_id && !ctx.can(guards.get)) throw disallowed(guards.get.name)
}

const list = operation({
  id: 'network.quotas.list',
  method: 'GET',
  path: '/v2.0/quotas',
  summary: 'List quotas of projects that have their own',
  policy: guards.get,
  response: Type.Object({
    quotas: Type.Array(Type.Record(Type.String(), Type.Union([Type.Integer(), Type.String()]))),
  }),
  async handle(ctx) {
    if (isUnified(ctx)) return { quotas: [] }
    const own = await quotaRows.list(ctx.db, {}, { orderBy: [{ column: 'project_id', direction: 'asc' }] })
    const projects = [...new Set(own.map(row => row.project_id))]
    const defaults = await defaultQuotas(ctx)
    const quotas = projects.map(project_id => ({
      ...defaults,
      ...Object.fromEntries(own.filter(row => row.project_id === project_id).map(row => [row.resource, row.quota])),
      project_id,
      tenant_id: project_id,
    }))
    return { quotas }
  },
})

const show = operation({
  id: 'network.quotas.show',
  method: 'GET',
  path: '/v2.0/quotas/{project_id}',
  summary: 'Show the quotas of a project',
  policy: 'authenticated',
  response: oneQuota,
  async handle(ctx, { params }) {
    enforceRead(ctx, params.project_id)
    return { quota: await quotasOf(ctx, params.project_id) }
  },
})

const showDefault = operation({
  id: 'network.quotas.show_default',
  method: 'GET',
  path: '/v2.0/quotas/{project_id}/default',
  summary: 'Show the default quotas',
  policy: 'authenticated',
  response: oneQuota,
  async handle(ctx, { params }) {
    enforceRead(ctx, params.project_id)
    return { quota: await defaultQuotas(ctx) }
  },
})

/** Clients write the path both ways. */
const details = (['details', 'details.json'] as const).map(word =>
  operation({
    id: `network.quotas.${word.replace('.', '_')}`,
    method: 'GET',
    path: `/v2.0/quotas/{project_id}/${word}`,
    summary: 'Show the quotas of a project and what is used of them',
    policy: 'authenticated',
    response: Type.Object({ quota: Type.Record(Type.String(), use) }),
    async handle(ctx, { params }) {
      enforceRead(ctx, params.project_id)
      const quota: Record<string, { limit: number; used: number; reserved: number }> = {}
      for (const [name, most] of Object.entries(await quotasOf(ctx, params.project_id))) {
        const used = await usedBy(ctx.db, [params.project_id], name as QuotaResource)
        quota[name] = { limit: most, used, reserved: 0 }
      }
      return { quota }
    },
  }),
)

const showProject = (word: 'project' | 'tenant') =>
  operation({
    id: `network.quotas.show_${word}`,
    method: 'GET',
    path: `/v2.0/quotas/${word}`,
    summary: `Show the caller's ${word}`,
    policy: 'authenticated',
    response: Type.Object({ [word]: Type.Record(Type.String(), Type.String()) }),
    async handle(ctx) {
      const id = ctx.identity.project_id
      if (!id) throw new BadRequest('Tenant-id was missing from quota request.', { type: 'QuotaMissingTenant' })
      return { [word]: { [`${word}_id`]: id } }
    },
  })

const update = operation({
  id: 'network.quotas.update',
  method: 'PUT',
  path: '/v2.0/quotas/{project_id}',
  summary: 'Change the quotas of a project',
  policy: guards.update,
  request: Type.Object({ quota: Type.Unknown() }),
  takes: Type.Object({ quota: bodyOf(attributes, 'update') }),
  response: oneQuota,
  async handle(ctx, { params: { project_id }, body }) {
    checkOurs(ctx)
    const { force: _, check_limit, ...limits } = updateValues(attributes, body.quota)
    return ctx.transaction(async tx => {
      for (const [resource, value] of Object.entries(limits)) {
        const quota = value as number
        if (check_limit) await checkUsed(tx, project_id, resource as QuotaResource, quota)
        await quotaRows.put(tx.db, ['project_id', 'resource'], [{ project_id, resource, quota }])
      }
      return { quota: await quotasOf(tx, project_id) }
    })
  },
})

/** With unified limits there is nothing here to change. */
function checkOurs(ctx: Ctx): void {
  if (!isUnified(ctx)) return
  throw new Forbidden('Quotas are the unified limits of identity: change them there (openstack limit set).', {
    type: 'HTTPForbidden',
  })
}

async function checkUsed(ctx: Ctx, projectId: string, resource: QuotaResource, quota: number): Promise<void> {
  const used = await usedBy(ctx.db, [projectId], resource)
  if (quota >= 0 && used > quota)
    throw new BadRequest(`Quota limit ${quota} for ${resource} must be greater than or equal to already used ${used}`, {
      type: 'HTTPBadRequest',
    })
}

const remove = operation({
  id: 'network.quotas.delete',
  method: 'DELETE',
  path: '/v2.0/quotas/{project_id}',
  summary: 'Give a project the default quotas again',
  policy: guards.delete,
  async handle(ctx, { params: { project_id } }) {
    checkOurs(ctx)
    if ((await quotaRows.remove(ctx.db, { project_id })) === 0)
      throw new NotFound(`Quota for tenant ${project_id} could not be found.`, { type: 'TenantQuotaNotFound' })
    return reply(undefined, { status: 204 })
  },
})

export const quotaOperations = [
  list,
  showProject('project'),
  showProject('tenant'),
  show,
  showDefault,
  ...details,
  update,
  remove,
]
