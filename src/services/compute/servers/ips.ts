/** Addresses of a server, by network. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { loadServer } from './access.ts'
import type { ServerRow } from './server.ts'
import { addressesOf } from './view.ts'

const plain = Type.Array(Type.Object({ version: Type.Integer(), addr: Type.String() }))
const byNetwork = Type.Record(Type.String(), plain)

/** Without the members that only a server's own view has. */
async function plainAddresses(ctx: Ctx, { id }: ServerRow) {
  const ports = (await ctx.services.network.shownPorts(ctx, [id])).get(id) ?? []
  return Object.fromEntries(
    Object.entries(addressesOf(ports)).map(([label, list]) => [
      label,
      list.map(({ version, addr }) => ({ version, addr })),
    ]),
  )
}

export const ipOperations: Operation[] = [
  operation({
    id: 'compute.server_ips.list',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/ips',
    summary: 'List the addresses of a server',
    policy: rule('os_compute_api:ips:index', projectReaderOrAdmin),
    load: loadServer,
    response: Type.Object({ addresses: byNetwork }),
    handle: async (ctx, { target }) => ({ addresses: await plainAddresses(ctx, target) }),
  }),
  operation({
    id: 'compute.server_ips.show',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/ips/{network_label}',
    summary: 'List the addresses of a server in one network',
    policy: rule('os_compute_api:ips:show', projectReaderOrAdmin),
    load: loadServer,
    response: byNetwork,
    async handle(ctx, { target, params: { network_label: label } }) {
      const addresses = await plainAddresses(ctx, target)
      const list = Object.hasOwn(addresses, label) ? addresses[label] : undefined
      if (!list) throw new NotFound('Instance is not a member of specified network')
      return { [label]: list }
    },
  }),
]
