/** Automatic allocation: a project asks for a network that leads outside and gets one. */
import type { Ctx } from '#kernel/context.ts'
import { Forbidden } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { rule } from '#kernel/policy/rule.ts'
import { disallowed } from '#kernel/resource-access.ts'
import { Type } from '#kernel/schema/builders.ts'
import { badResource } from '../errors.ts'
import { admin, projectMember, projectReader } from '../policy.ts'
import { allocate, defaultOutside, release } from './steps.ts'

const guards = {
  get: rule('get_auto_allocated_topology', `${admin} or ${projectReader}`),
  delete: rule('delete_auto_allocated_topology', `${admin} or ${projectMember}`),
}
export const topologyRules = Object.values(guards)

const path = '/v2.0/auto-allocated-topology/{project_id}'

/** The project meant; the word `None` is the caller's own. */
function projectOf(ctx: Ctx, named: string, guard: (typeof guards)['get']): string {
  const project_id = named === 'None' ? (ctx.identity.project_id ?? '') : named
  if (project_id !== ctx.identity.project_id && !ctx.can(guard, { project_id }))
    throw new Forbidden('Not authorized.', { type: 'NotAuthorized' })
  if (!ctx.can(guard, { project_id })) throw disallowed(guard.name)
  return project_id
}

const show = operation({
  id: 'network.auto_allocated_topology.show',
  method: 'GET',
  path,
  summary: 'Show the automatically allocated network of a project, made when there is none',
  policy: 'authenticated',
  response: Type.Object({
    auto_allocated_topology: Type.Object({ id: Type.String(), project_id: Type.String(), tenant_id: Type.String() }),
  }),
  async handle(ctx, { params, query }) {
    const project_id = projectOf(ctx, params.project_id, guards.get)
    const fields = [(query as { fields?: string | string[] }).fields ?? []].flat()
    const dryRun = fields.includes('dry-run')
    if (fields.length > 0 && !dryRun) throw badResource('auto_allocate', 'Unrecognized field')
    if (dryRun) await defaultOutside(ctx)
    const id = dryRun ? 'dry-run=pass' : (await ctx.transaction(tx => allocate(tx, project_id))).id
    return { auto_allocated_topology: { id, project_id, tenant_id: project_id } }
  },
})

const remove = operation({
  id: 'network.auto_allocated_topology.delete',
  method: 'DELETE',
  path,
  summary: 'Delete the automatically allocated network of a project',
  policy: 'authenticated',
  async handle(ctx, { params }) {
    const project_id = projectOf(ctx, params.project_id, guards.delete)
    await ctx.transaction(tx => release(tx, project_id))
    return reply(undefined, { status: 204 })
  },
})

export const topologyOperations = [show, remove]
