/** Short lists that clients ask for beside the resources: who provides routers, and from where floating IPs come. */
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { networkRows } from './networks/store.ts'
import { subnetsOf } from './subnets/store.ts'

const listProviders = operation({
  id: 'network.service_providers.list',
  method: 'GET',
  path: '/v2.0/service-providers',
  summary: 'List providers of services',
  policy: 'authenticated',
  response: Type.Object({
    service_providers: Type.Array(
      Type.Object({ service_type: Type.String(), name: Type.String(), default: Type.Boolean() }),
    ),
  }),
  handle: async () => ({ service_providers: [{ service_type: 'L3_ROUTER_NAT', name: 'single_node', default: true }] }),
})

const listPools = operation({
  id: 'network.floatingip_pools.list',
  method: 'GET',
  path: '/v2.0/floatingip_pools',
  summary: 'List subnets that floating IPs come from',
  policy: 'authenticated',
  response: Type.Object({
    floatingip_pools: Type.Array(
      Type.Object({
        subnet_id: Type.String(),
        subnet_name: Type.String(),
        network_id: Type.String(),
        cidr: Type.String(),
        project_id: Type.String(),
        tenant_id: Type.String(),
      }),
    ),
  }),
  async handle(ctx) {
    const outside = await networkRows.list(
      ctx.db,
      { external: true },
      { orderBy: [{ column: 'id', direction: 'asc' }] },
    )
    const subnets = await subnetsOf(
      ctx.db,
      outside.map(network => network.id),
    )
    const project_id = ctx.identity.project_id ?? ''
    return {
      floatingip_pools: subnets
        .filter(subnet => subnet.ip_version === 4)
        .map(({ id, name, network_id, cidr }) => ({
          subnet_id: id,
          subnet_name: name,
          network_id,
          cidr,
          project_id,
          tenant_id: project_id,
        })),
    }
  },
})

export const extensionLists = [listProviders, listPools]
