/** Security groups and floating IPs of servers, as compute's API had them before networks were a service; some clients still ask here. */
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { isAdmin, name, pageQuery, query } from '../dialect.ts'
import { loadServer } from './access.ts'
import { actionOperation } from './action.ts'

const whole = Type.Union([Type.Integer(), Type.Null()])
const group = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  tenant_id: Type.String(),
  rules: Type.Array(
    Type.Object({
      id: Type.String(),
      parent_group_id: Type.String(),
      ip_protocol: Type.Union([Type.String(), Type.Null()]),
      from_port: whole,
      to_port: whole,
      group: Type.Object({ name: Type.Optional(Type.String()), tenant_id: Type.Optional(Type.String()) }),
      ip_range: Type.Object({ cidr: Type.Optional(Type.String()) }),
    }),
  ),
})
const groups = Type.Object({ security_groups: Type.Array(group) })
const proxied = { max: '2.35' } as const

function securityGroupOperation(verb: 'add' | 'remove', summary: string): Operation {
  return actionOperation({
    id: `compute.servers.${verb}_security_group`,
    key: `${verb}SecurityGroup`,
    summary,
    policy: rule(`os_compute_api:os-security-groups:${verb}`, projectMemberOrAdmin),
    body: Type.Object({ name }, { additionalProperties: true }),
    async handle(ctx, server, body) {
      await ctx.transaction(tx => tx.services.network.setSecurityGroup(tx, server.id, body.name, verb === 'add'))
      return reply(undefined, { status: 202 })
    },
  })
}

const ipv4 = Type.String({ format: 'ip' })

const given = Type.Object({ address: ipv4, fixed_address: Type.Optional(ipv4) }, { additionalProperties: false })
const onlyAddress: typeof given = Type.Object({ address: ipv4 }, { additionalProperties: false }) as never

function floatingIpOperation(verb: 'add' | 'remove', summary: string): Operation {
  return actionOperation({
    id: `compute.servers.${verb}_floating_ip`,
    key: `${verb}FloatingIp`,
    summary,
    policy: rule(`os_compute_api:os-floating-ips:${verb}`, projectMemberOrAdmin),
    versions: { max: '2.43' },
    body: verb === 'add' ? given : onlyAddress,
    async handle(ctx, server, { address, fixed_address }) {
      const { network } = ctx.services
      if (verb === 'add') await network.addFloatingIp(ctx, server.id, address, fixed_address)
      else await network.removeFloatingIp(ctx, server.id, address)
      return reply(undefined, { status: 202 })
    },
  })
}

export const networkProxyOperations: Operation[] = [
  securityGroupOperation('add', 'Put a server in a security group'),
  securityGroupOperation('remove', 'Take a server out of a security group'),
  floatingIpOperation('add', 'Lead a floating IP to a server'),
  floatingIpOperation('remove', 'Take a floating IP off a server'),
  operation({
    id: 'compute.server_security_groups.list',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/os-security-groups',
    summary: 'List the security groups of a server',
    policy: rule('os_compute_api:os-security-groups:list', projectReaderOrAdmin),
    load: loadServer,
    response: groups,
    handle: async (ctx, { target }) => ({
      security_groups: await ctx.services.network.securityGroups(ctx, { server_id: target.id }),
    }),
  }),
  operation({
    id: 'compute.security_groups.list',
    method: 'GET',
    path: '/v2.1/os-security-groups',
    summary: 'List security groups',
    versions: proxied,
    policy: rule('os_compute_api:os-security-groups:get', projectReaderOrAdmin),
    query: query({
      ...pageQuery,
      offset: Type.Optional(Type.Integer({ minimum: 0 })),
      all_tenants: Type.Optional(Type.String()),
    }),
    response: groups,
    async handle(ctx, { query: asked }) {
      const everyone = asked.all_tenants !== undefined && asked.all_tenants !== '0' && isAdmin(ctx)
      const { project_id = '' } = ctx.identity
      const found = await ctx.services.network.securityGroups(ctx, everyone ? {} : { project_id })
      const first = asked.offset ?? 0
      return { security_groups: found.slice(first, asked.limit === undefined ? undefined : first + asked.limit) }
    },
  }),
  operation({
    id: 'compute.security_groups.show',
    method: 'GET',
    path: '/v2.1/os-security-groups/{security_group_id}',
    summary: 'Show a security group',
    versions: proxied,
    policy: rule('os_compute_api:os-security-groups:show', projectReaderOrAdmin),
    response: Type.Object({ security_group: group }),
    async handle(ctx, { params: { security_group_id: id } }) {
      const [found] = await ctx.services.network.securityGroups(ctx, { id })
      if (!found || (found.tenant_id !== ctx.identity.project_id && !isAdmin(ctx)))
        throw new NotFound(`Security group ${id} could not be found.`)
      return { security_group: found }
    },
  }),
]
