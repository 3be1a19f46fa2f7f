/** Security groups and their rules in compute's API, up to 2.35: they are the network service's. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { isUuid } from '#kernel/schema/validate.ts'
import type { ComputeSecurityGroup } from '../../network/contract.ts'
import { isAdmin, pageQuery } from '../dialect.ts'
import { proxied, securityGroup, securityGroupRule, securityGroups } from './network-proxy.ts'
import { checkedRule } from './rule.ts'

const reads = (verb: string) => rule(`os_compute_api:os-security-groups:${verb}`, projectReaderOrAdmin)
const changes = (verb: string) => rule(`os_compute_api:os-security-groups:${verb}`, projectMemberOrAdmin)

function uuidOf(id: string): string {
  if (!isUuid(id)) throw new BadRequest('Security group id should be uuid')
  return id
}

/** A group that the caller may see. */
async function groupOf(ctx: Ctx, id: string): Promise<ComputeSecurityGroup> {
  const [found] = await ctx.services.network.securityGroups(ctx, { id: uuidOf(id) })
  if (found && (found.tenant_id === ctx.identity.project_id || isAdmin(ctx))) return found
  throw new NotFound(`Security group ${id} could not be found.`)
}

const list = operation({
  id: 'compute.security_groups.list',
  method: 'GET',
  path: '/v2.1/os-security-groups',
  summary: 'List security groups',
  versions: proxied,
  policy: reads('get'),
  query: Type.Object({
    limit: pageQuery.limit,
    offset: Type.Optional(Type.Integer({ minimum: 0 })),
    all_tenants: Type.Optional(Type.String()),
  }),
  response: securityGroups,
  async handle(ctx, { query: asked }) {
    const everyone = asked.all_tenants !== undefined && isAdmin(ctx)
    const { project_id = '' } = ctx.identity
    const found = await ctx.services.network.securityGroups(ctx, everyone ? {} : { project_id })
    const first = asked.offset ?? 0
    return { security_groups: found.slice(first, asked.limit ? first + asked.limit : undefined) }
  },
})

const show = operation({
  id: 'compute.security_groups.show',
  method: 'GET',
  path: '/v2.1/os-security-groups/{security_group_id}',
  summary: 'Show a security group',
  versions: proxied,
  policy: reads('show'),
  response: Type.Object({ security_group: securityGroup }),
  handle: async (ctx, { params }) => ({ security_group: await groupOf(ctx, params.security_group_id) }),
})

const text = Type.String({ maxLength: 255 })
const wished = Type.Object({ security_group: Type.Object({ name: text, description: text }) })

const wishOf = ({ name, description }: Static<typeof wished>['security_group']) => ({ name, description })

const create = operation({
  id: 'compute.security_groups.create',
  method: 'POST',
  path: '/v2.1/os-security-groups',
  summary: 'Create a security group',
  versions: proxied,
  policy: changes('create'),
  request: wished,
  response: Type.Object({ security_group: securityGroup }),
  handle: async (ctx, { body }) => ({
    security_group: await ctx.services.network.computeApi.createSecurityGroup(ctx, wishOf(body.security_group)),
  }),
})

const update = operation({
  id: 'compute.security_groups.update',
  method: 'PUT',
  path: '/v2.1/os-security-groups/{security_group_id}',
  summary: 'Change a security group',
  versions: proxied,
  policy: changes('update'),
  request: wished,
  response: Type.Object({ security_group: securityGroup }),
  async handle(ctx, { params, body }) {
    const { id } = await groupOf(ctx, params.security_group_id)
    const { computeApi } = ctx.services.network
    return { security_group: await computeApi.updateSecurityGroup(ctx, id, wishOf(body.security_group)) }
  },
})

const remove = operation({
  id: 'compute.security_groups.delete',
  method: 'DELETE',
  path: '/v2.1/os-security-groups/{security_group_id}',
  summary: 'Delete a security group',
  versions: proxied,
  policy: changes('delete'),
  async handle(ctx, { params }) {
    const { id } = await groupOf(ctx, params.security_group_id)
    await ctx.services.network.computeApi.deleteSecurityGroup(ctx, id)
    return reply(undefined, { status: 202 })
  },
})

const id = Type.String({ format: 'uuid' })
const newRule = Type.Object({
  security_group_rule: Type.Object({
    parent_group_id: id,
    group_id: Type.Optional(Type.Union([id, Type.Null()])),
    from_port: Type.Optional(Type.Unknown()),
    to_port: Type.Optional(Type.Unknown()),
    ip_protocol: Type.Optional(Type.Unknown()),
    cidr: Type.Optional(Type.Unknown()),
  }),
})

const createRule = operation({
  id: 'compute.security_group_rules.create',
  method: 'POST',
  path: '/v2.1/os-security-group-rules',
  summary: 'Let something into a security group',
  versions: proxied,
  policy: changes('rule:create'),
  request: newRule,
  response: Type.Object({ security_group_rule: securityGroupRule }),
  async handle(ctx, { body: { security_group_rule: asked } }) {
    const parent = await groupOf(ctx, asked.parent_group_id)
    if (asked.group_id) await groupOf(ctx, asked.group_id)
    const checked = checkedRule(asked, parent)
    return { security_group_rule: await ctx.services.network.computeApi.createSecurityGroupRule(ctx, checked) }
  },
})

const removeRule = operation({
  id: 'compute.security_group_rules.delete',
  method: 'DELETE',
  path: '/v2.1/os-security-group-rules/{security_group_rule_id}',
  summary: 'Take a rule out of its security group',
  versions: proxied,
  policy: changes('rule:delete'),
  async handle(ctx, { params }) {
    await ctx.services.network.computeApi.deleteSecurityGroupRule(ctx, uuidOf(params.security_group_rule_id))
    return reply(undefined, { status: 202 })
  },
})

export const securityGroupOperations: Operation[] = [list, show, create, update, remove, createRule, removeRule]
