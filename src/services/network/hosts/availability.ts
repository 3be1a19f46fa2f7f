/** Availability zones of networks and routers: where there is an agent for them. */
import type { Ctx } from '#kernel/context.ts'
import { operation } from '#kernel/operation.ts'
import { rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { allAgents } from './agents.ts'

const get = rule('get_availability_zone', 'role:reader or rule:context_is_admin')
export const availabilityRules = [get]

/** Which kind of agent serves which resource. */
const servedBy: Record<string, string> = { 'DHCP agent': 'network', 'L3 agent': 'router' }

async function zones(ctx: Ctx) {
  const found = new Map<string, { name: string; resource: string; state: string }>()
  for (const agent of await allAgents(ctx)) {
    const resource = servedBy[agent.agent_type]
    if (!resource || agent.availability_zone === null) continue
    const key = `${resource} ${agent.availability_zone}`
    const state = agent.alive && agent.admin_state_up ? 'available' : (found.get(key)?.state ?? 'unavailable')
    found.set(key, { name: agent.availability_zone, resource, state })
  }
  return [...found.values()]
}

const list = operation({
  id: 'network.availability_zones.list',
  method: 'GET',
  path: '/v2.0/availability_zones',
  summary: 'List availability zones',
  policy: get,
  response: Type.Object({
    availability_zones: Type.Array(Type.Object({ name: Type.String(), resource: Type.String(), state: Type.String() })),
  }),
  async handle(ctx, { query }) {
    const asked = query as Record<string, string | string[]>
    const fits = (value: string, wanted: string | string[] | undefined) =>
      wanted === undefined || [wanted].flat().includes(value)
    const found = await zones(ctx)
    return {
      availability_zones: found.filter(
        zone => fits(zone.name, asked.name) && fits(zone.resource, asked.resource) && fits(zone.state, asked.state),
      ),
    }
  },
})

export const availabilityOperations = [list]
