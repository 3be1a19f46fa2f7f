/** Security groups and floating IPs of servers, as compute's API had them before networks were a service; some clients still ask here. */
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { name } from '../dialect.ts'
import { securityGroups } from '../network-proxies/network-proxy.ts'
import { loadServer, requireUnlocked } from './access.ts'
import { actionOperation } from './action.ts'

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

const fixedIps = { versions: { max: '2.43' } } as const

const addFixedIp = actionOperation({
  ...fixedIps,
  id: 'compute.servers.add_fixed_ip',
  key: 'addFixedIp',
  summary: 'Give a server one more address in a network',
  policy: rule('os_compute_api:os-multinic:add', projectMemberOrAdmin),
  body: Type.Object(
    { networkId: Type.Unsafe<string | number>({ type: ['string', 'number'], minLength: 1, maxLength: 36 }) },
    { additionalProperties: false },
  ),
  async handle(ctx, server, { networkId }) {
    requireUnlocked(ctx, server)
    await ctx.services.network.addFixedIp(ctx, server.id, String(networkId))
    return reply(undefined, { status: 202 })
  },
})

const removeFixedIp = actionOperation({
  ...fixedIps,
  id: 'compute.servers.remove_fixed_ip',
  key: 'removeFixedIp',
  summary: 'Take an address off a server',
  policy: rule('os_compute_api:os-multinic:remove', projectMemberOrAdmin),
  body: Type.Object({ address: Type.String({ format: 'ip' }) }, { additionalProperties: false }),
  async handle(ctx, server, { address }) {
    requireUnlocked(ctx, server)
    await ctx.services.network.removeFixedIp(ctx, server.id, address)
    return reply(undefined, { status: 202 })
  },
})

export const networkProxyOperations: Operation[] = [
  securityGroupOperation('add', 'Put a server in a security group'),
  securityGroupOperation('remove', 'Take a server out of a security group'),
  floatingIpOperation('add', 'Lead a floating IP to a server'),
  floatingIpOperation('remove', 'Take a floating IP off a server'),
  addFixedIp,
  removeFixedIp,
  operation({
    id: 'compute.server_security_groups.list',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/os-security-groups',
    summary: 'List the security groups of a server',
    policy: rule('os_compute_api:os-security-groups:list', projectReaderOrAdmin),
    load: loadServer,
    response: securityGroups,
    handle: async (ctx, { target }) => ({
      security_groups: await ctx.services.network.securityGroups(ctx, { server_id: target.id }),
    }),
  }),
]
