/** Which agents serve a network or a router, and what an agent serves. Networks are served wherever their guests are. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { type Rule, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { networks } from '../networks/network.ts'
import { networkRows } from '../networks/store.ts'
import { admin } from '../policy.ts'
import { dhcpDevice, portRows } from '../ports/store.ts'
import { routers } from '../routers/router.ts'
import { routerRows } from '../routers/store.ts'
import { agentAnswer, allAgents } from './agents.ts'
import { agentRows } from './store.ts'

const guards = {
  dhcpAgents: rule('get_dhcp-agents', admin),
  dhcpNetworks: rule('get_dhcp-networks', admin),
  l3Agents: rule('get_l3-agents', admin),
  l3Routers: rule('get_l3-routers', admin),
}
export const schedulingRules: Rule[] = Object.values(guards)

const [dhcp, l3] = ['DHCP agent', 'L3 agent']
const byId = { orderBy: [{ column: 'id' as const, direction: 'asc' as const }] }

const agentsAt = async (ctx: Ctx, type: string | undefined, hosts: ReadonlySet<string>) =>
  (await allAgents(ctx)).filter(agent => agent.agent_type === type && hosts.has(agent.host))

async function hostOf(ctx: Ctx, agentId: string, type: string | undefined): Promise<string | undefined> {
  const agent = await agentRows.find(ctx.db, { id: agentId })
  if (!agent) throw new NotFound(`Agent ${agentId} could not be found.`, { type: 'AgentNotFound' })
  return agent.agent_type === type ? agent.host : undefined
}

/** The guests' ports on a host. */
const guestsOn = async (ctx: Ctx, where: { network_id: string } | { binding_host_id: string }) =>
  (await portRows.list(ctx.db, where)).filter(p => p.binding_host_id !== '' && !p.device_owner.startsWith('network:'))

const served = async (ctx: Ctx, networkIds: string[]) =>
  new Set(
    (await portRows.list(ctx.db, { device_id: networkIds.map(dhcpDevice), device_owner: 'network:dhcp' })).map(
      port => port.network_id,
    ),
  )

const dhcpAgents = operation({
  id: 'network.networks.list_dhcp_agents',
  method: 'GET',
  path: '/v2.0/networks/{network_id}/dhcp-agents',
  summary: 'List DHCP agents that serve a network',
  policy: guards.dhcpAgents,
  response: Type.Object({ agents: Type.Array(agentAnswer) }),
  async handle(ctx, { params }) {
    const { id } = await networks.load(ctx, params.network_id)
    const hosts = (await served(ctx, [id])).has(id) ? await guestsOn(ctx, { network_id: id }) : []
    return { agents: await agentsAt(ctx, dhcp, new Set(hosts.map(port => port.binding_host_id))) }
  },
})

const dhcpNetworks = operation({
  id: 'network.agents.list_dhcp_networks',
  method: 'GET',
  path: '/v2.0/agents/{agent_id}/dhcp-networks',
  summary: 'List networks that a DHCP agent serves',
  policy: guards.dhcpNetworks,
  response: networks.listAnswer,
  async handle(ctx, { params }) {
    const host = await hostOf(ctx, params.agent_id, dhcp)
    const guests = host === undefined ? [] : await guestsOn(ctx, { binding_host_id: host })
    const ids = await served(ctx, [...new Set(guests.map(port => port.network_id))])
    return { networks: await networks.view(ctx, await networkRows.list(ctx.db, { id: [...ids] }, byId)) }
  },
})

const l3Agents = operation({
  id: 'network.routers.list_l3_agents',
  method: 'GET',
  path: '/v2.0/routers/{router_id}/l3-agents',
  summary: 'List the agents that carry a router',
  policy: guards.l3Agents,
  response: Type.Object({ agents: Type.Array(agentAnswer) }),
  async handle(ctx, { params }) {
    const { host } = await routers.load(ctx, params.router_id)
    const agents = await agentsAt(ctx, l3, new Set(host === null ? [] : [host]))
    return { agents: agents.map(agent => ({ ...agent, ha_state: null })) }
  },
})

const l3Routers = operation({
  id: 'network.agents.list_l3_routers',
  method: 'GET',
  path: '/v2.0/agents/{agent_id}/l3-routers',
  summary: 'List the routers that an agent carries',
  policy: guards.l3Routers,
  response: routers.listAnswer,
  async handle(ctx, { params }) {
    const host = await hostOf(ctx, params.agent_id, l3)
    const rows = host === undefined ? [] : await routerRows.list(ctx.db, { host }, byId)
    return { routers: await routers.view(ctx, rows) }
  },
})

export const schedulingOperations = [dhcpAgents, dhcpNetworks, l3Agents, l3Routers]
