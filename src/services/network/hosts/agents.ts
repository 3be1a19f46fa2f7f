/** The agents API: what the hosts' network agents report, one entry for each part that they play. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict, NotFound } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { type Rule, rule } from '#kernel/policy/rule.ts'
import { checkedValue, text, toBoolean } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { networkConfig } from '../config.ts'
import { admin } from '../policy.ts'
import { isAlive } from './host.ts'
import { type AgentRow, agentRows, type HostRow, hostRows } from './store.ts'

const guards = {
  get: rule('get_agent', admin),
  update: rule('update_agent', admin),
  delete: rule('delete_agent', admin),
}
export const agentRules = Object.values(guards)

/** The parts that one agent plays, by the names that clients know, with binary and topic. */
export const agentTypes: Record<string, { binary: string; topic: string }> = {
  'Linux bridge agent': { binary: 'neutron-linuxbridge-agent', topic: 'N/A' },
  'DHCP agent': { binary: 'neutron-dhcp-agent', topic: 'dhcp_agent' },
  'L3 agent': { binary: 'neutron-l3-agent', topic: 'l3_agent' },
  'Metadata agent': { binary: 'neutron-metadata-agent', topic: 'N/A' },
}

export const agentAnswer = Type.Object({
  id: Type.String(),
  agent_type: Type.String(),
  binary: Type.String(),
  topic: Type.String(),
  host: Type.String(),
  admin_state_up: Type.Boolean(),
  alive: Type.Boolean(),
  availability_zone: Type.Union([Type.String(), Type.Null()]),
  description: Type.Union([Type.String(), Type.Null()]),
  created_at: Type.String(),
  started_at: Type.String(),
  heartbeat_timestamp: Type.String(),
  configurations: Type.Record(Type.String(), Type.Unknown()),
  resources_synced: Type.Null(),
})
const oneAgent = Type.Object({ agent: agentAnswer })

const spaced = (iso: string) => iso.replace('T', ' ').replace(/(\.\d+)?Z$/, '')

function view(ctx: Ctx, agent: AgentRow, host: HostRow) {
  const { availability_zone } = ctx.config.of(networkConfig)
  const { binary, topic } = agentTypes[agent.agent_type] ?? { binary: '', topic: '' }
  const hasZone = agent.agent_type === 'DHCP agent' || agent.agent_type === 'L3 agent'
  return {
    id: agent.id,
    agent_type: agent.agent_type,
    binary,
    topic,
    host: agent.host,
    admin_state_up: agent.admin_state_up,
    alive: isAlive(ctx, host),
    availability_zone: hasZone ? availability_zone : null,
    description: agent.description || null,
    created_at: spaced(agent.created_at),
    started_at: spaced(host.started_at),
    heartbeat_timestamp: spaced(host.heartbeat_at),
    configurations: { plane: host.plane, extensions: host.extensions, problems: host.problems },
    resources_synced: null,
  }
}

export async function allAgents(ctx: Ctx) {
  const hosts = new Map((await hostRows.list(ctx.db)).map(host => [host.host, host]))
  const agents = await agentRows.list(ctx.db, {}, { orderBy: [{ column: 'id', direction: 'asc' }] })
  return agents.map(agent => view(ctx, agent, hosts.get(agent.host)!))
}

async function find(ctx: Ctx, id: string): Promise<AgentRow> {
  const agent = await agentRows.find(ctx.db, { id })
  if (!agent) throw new NotFound(`Agent ${id} could not be found.`, { type: 'AgentNotFound' })
  return agent
}

/** To those who may not change agents they are not there. */
async function findFor(ctx: Ctx, guard: Rule, id: string): Promise<AgentRow> {
  if (!ctx.can(guard)) throw new NotFound('The resource could not be found.', { type: 'HTTPNotFound' })
  return find(ctx, id)
}

async function shown(ctx: Ctx, agent: AgentRow) {
  return { agent: view(ctx, agent, (await hostRows.find(ctx.db, { host: agent.host }))!) }
}

const filterable = ['id', 'agent_type', 'binary', 'topic', 'host', 'availability_zone'] as const

const list = operation({
  id: 'network.agents.list',
  method: 'GET',
  path: '/v2.0/agents',
  summary: 'List agents',
  policy: 'authenticated',
  response: Type.Object({ agents: Type.Array(agentAnswer) }),
  async handle(ctx, { query }) {
    if (!ctx.can(guards.get)) return { agents: [] }
    const asked = query as Record<string, string | string[]>
    const flag = (name: 'alive' | 'admin_state_up') => asked[name] && toBoolean([asked[name]].flat()[0])
    const agents = (await allAgents(ctx)).filter(
      agent =>
        filterable.every(name => !asked[name] || [asked[name]].flat().includes(String(agent[name]))) &&
        (['alive', 'admin_state_up'] as const).every(name => !asked[name] || agent[name] === flag(name)),
    )
    return { agents }
  },
})

const show = operation({
  id: 'network.agents.show',
  method: 'GET',
  path: '/v2.0/agents/{id}',
  summary: 'Show an agent',
  policy: guards.get,
  response: oneAgent,
  handle: async (ctx, { params }) => shown(ctx, await find(ctx, params.id)),
})

const update = operation({
  id: 'network.agents.update',
  method: 'PUT',
  path: '/v2.0/agents/{id}',
  summary: 'Change an agent',
  policy: 'authenticated',
  response: oneAgent,
  request: Type.Object({
    agent: Type.Object({ admin_state_up: Type.Optional(Type.Unknown()), description: Type.Optional(Type.Unknown()) }),
  }),
  async handle(ctx, { params, body }) {
    const agent = await findFor(ctx, guards.update, params.id)
    const { admin_state_up, description } = body.agent
    const patch = {
      ...(admin_state_up !== undefined && {
        admin_state_up: checkedValue(
          'admin_state_up',
          { schema: Type.Boolean(), convert: toBoolean },
          admin_state_up,
        ) as boolean,
      }),
      ...(description !== undefined && { description: checkedValue('description', text(255), description) as string }),
    }
    if (Object.keys(patch).length > 0) await agentRows.update(ctx.db, { id: agent.id }, patch)
    return shown(ctx, { ...agent, ...patch })
  },
})

const remove = operation({
  id: 'network.agents.delete',
  method: 'DELETE',
  path: '/v2.0/agents/{id}',
  summary: 'Forget an agent',
  policy: 'authenticated',
  async handle(ctx, { params }) {
    const agent = await findFor(ctx, guards.delete, params.id)
    if ((await shown(ctx, agent)).agent.alive)
      throw new Conflict(`Agent ${agent.id} is alive: stop it first.`, { type: 'AgentInUse' })
    await agentRows.remove(ctx.db, { id: agent.id })
    return reply(undefined, { status: 204 })
  },
})

export const agentOperations = [list, show, update, remove]
