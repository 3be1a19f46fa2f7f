/** The networks of a new cloud: one to the outside, and one for the demo project with a router between them. */
import type { Ctx, Env } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { formatAddress, parseCidr, usable } from './addresses.ts'
import { networkConfig } from './config.ts'
import type { PhysicalNetwork } from './drivers/linux/plan.ts'
import { networks } from './networks/network.ts'
import { type NetworkRow, networkRows } from './networks/store.ts'
import { defaultGroup } from './security-groups/steps.ts'
import { subnets } from './subnets/subnet.ts'
import { makeTopology } from './topologies/steps.ts'

const physicalName = 'public'
const privateNames = {
  network: 'private',
  router: 'router',
  subnet: (version: 4 | 6) => (version === 4 ? 'private-subnet' : 'private-subnet-v6'),
}

interface Projects {
  demo_project_id: string
  admin_project_id: string
}

/** All of it is one transaction. What users changed or deleted of it later stays as they left it, as long as `public` is there. */
export async function bootstrap(ctx: Ctx, { demo_project_id, admin_project_id }: Projects): Promise<void> {
  await ctx.transaction(async tx => {
    await lock(tx.db, tx.database.engine, 'network.first-contents')
    if (await networkRows.find(tx.db, { network_type: 'flat', physical_network: physicalName })) return
    for (const id of [admin_project_id, demo_project_id]) await defaultGroup(tx, id)
    const outside = await makePublic(tx, admin_project_id)
    if ((await networkRows.count(tx.db, { project_id: demo_project_id })) === 0)
      await makeTopology(tx, demo_project_id, outside, privateNames)
  })
}

async function makePublic(ctx: Ctx, project_id: string): Promise<NetworkRow> {
  const network = await networks.make(ctx, {
    project_id,
    name: 'public',
    'router:external': true,
    is_default: true,
    'provider:network_type': 'flat',
    'provider:physical_network': physicalName,
  })
  await subnets.make(ctx, {
    project_id,
    network_id: network.id,
    name: 'public-subnet',
    ip_version: 4,
    cidr: ctx.config.of(networkConfig).public_cidr,
    enable_dhcp: false,
  })
  return network
}

export function physicalNetworks(env: Env): Record<string, PhysicalNetwork> {
  const { public_cidr, public_nat } = env.config.of(networkConfig)
  const range = parseCidr(public_cidr)!
  const first = formatAddress(range.version, usable(range).first)
  return { [physicalName]: { host_address: `${first}/${range.prefix}`, nat: public_nat } }
}
