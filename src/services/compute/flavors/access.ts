/** Which projects may use a flavor that is not public. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { body } from '../dialect.ts'
import { flavorAccess, flavorFor } from './store.ts'

const accessList = Type.Object({
  flavor_access: Type.Array(Type.Object({ flavor_id: Type.String(), tenant_id: Type.String() })),
})
const tenant = Type.Object({ tenant: Type.String({ minLength: 1, maxLength: 255 }) }, { additionalProperties: false })

async function accessOf(ctx: Ctx, flavorId: string): Promise<Static<typeof accessList>> {
  const found = await flavorAccess.list(
    ctx.db,
    { flavor_id: flavorId },
    { orderBy: [{ column: 'project_id', direction: 'asc' }] },
  )
  return { flavor_access: found.map(row => ({ flavor_id: row.flavor_id, tenant_id: row.project_id })) }
}

async function checkProject(ctx: Ctx, id: string): Promise<void> {
  if (!(await ctx.services.identity.project(ctx, id))) throw new BadRequest(`Project ID ${id} is not a valid project.`)
}

export const accessOperations: Operation[] = [
  operation({
    id: 'compute.flavor_access.list',
    method: 'GET',
    path: '/v2.1/flavors/{flavor_id}/os-flavor-access',
    summary: 'List the projects that may use a private flavor',
    policy: rule('os_compute_api:os-flavor-access', admin),
    response: accessList,
    async handle(ctx, { params }) {
      const flavor = await flavorFor(ctx, params.flavor_id)
      if (flavor.is_public) throw new NotFound('Access list not available for public flavors.')
      return accessOf(ctx, flavor.id)
    },
  }),
  operation({
    id: 'compute.flavor_access.add',
    method: 'POST',
    path: '/v2.1/flavors/{flavor_id}/action',
    action: 'addTenantAccess',
    summary: 'Let a project use a private flavor',
    policy: rule('os_compute_api:os-flavor-access:add_tenant_access', admin),
    request: body('addTenantAccess', tenant),
    response: accessList,
    async handle(ctx, { params, body: { addTenantAccess } }) {
      await checkProject(ctx, addTenantAccess.tenant)
      const flavor = await flavorFor(ctx, params.flavor_id)
      if (flavor.is_public && ctx.atLeast('2.7')) throw new Conflict('Can not add access to a public flavor.')
      try {
        await flavorAccess.insert(ctx.db, { flavor_id: flavor.id, project_id: addTenantAccess.tenant })
      } catch (error) {
        if (!(error instanceof UniqueViolation)) throw error
        throw new Conflict(
          `Flavor access already exists for flavor ${flavor.id} and project ${addTenantAccess.tenant} combination.`,
        )
      }
      return accessOf(ctx, flavor.id)
    },
  }),
  operation({
    id: 'compute.flavor_access.remove',
    method: 'POST',
    path: '/v2.1/flavors/{flavor_id}/action',
    action: 'removeTenantAccess',
    summary: 'Take a private flavor from a project',
    policy: rule('os_compute_api:os-flavor-access:remove_tenant_access', admin),
    request: body('removeTenantAccess', tenant),
    response: accessList,
    async handle(ctx, { params, body: { removeTenantAccess } }) {
      const flavor = await flavorFor(ctx, params.flavor_id)
      const access = { flavor_id: flavor.id, project_id: removeTenantAccess.tenant }
      if ((await flavorAccess.remove(ctx.db, access)) === 0)
        throw new NotFound(`Flavor access not found for ${flavor.id} / ${removeTenantAccess.tenant} combination.`)
      return accessOf(ctx, flavor.id)
    },
  }),
]
