/** Builds of guests' agents, as upstream had them until 22.0.0: what an admin names here, guests with an older one are brought up to. */
import { UniqueViolation } from '#kernel/db/database.ts'
import { Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { body, integerId, query } from '../dialect.ts'
import { type AgentBuildRow, isFor } from './agent-build.ts'
import { agentBuilds, newAgentBuilds } from './store.ts'

const ruleOf = (verb: string) => rule(`os_compute_api:os-agents:${verb}`, admin)
const path = '/v2.1/os-agents'
const onePath = `${path}/{agent_build_id}`

const word = Type.String({ minLength: 1, maxLength: 255, pattern: '^[\\w.-]+$' })
const file = {
  version: Type.String({ maxLength: 64, pattern: '^[0-9]+(\\.[0-9]+)*$' }),
  url: Type.String({ maxLength: 255, format: 'uri', pattern: '^https?://' }),
  md5hash: Type.String({ pattern: '^([0-9a-fA-F]{32}|[0-9a-fA-F]{64}|[0-9a-fA-F]{128})$' }),
}
const kind = { hypervisor: word, os: word, architecture: word }
const shown = { agent_id: Type.Integer(), version: Type.String(), url: Type.String(), md5hash: Type.String() }
const shownKind = { hypervisor: Type.String(), os: Type.String(), architecture: Type.String() }

const view = ({ id: agent_id, hypervisor, os, architecture, version, url, md5hash }: AgentBuildRow) => ({
  ...{ agent_id, hypervisor, os, architecture, version, url, md5hash },
})

const absent = (id: string) => new NotFound(`No agent-build associated with id ${id}.`)

const list = operation({
  id: 'compute.agent_builds.list',
  method: 'GET',
  path,
  summary: "List builds of guests' agents",
  policy: ruleOf('list'),
  query: query({ hypervisor: Type.Optional(Type.String({ maxLength: 255 })) }),
  response: body('agents', Type.Array(Type.Object({ ...shown, ...shownKind }))),
  async handle(ctx, { query: { hypervisor } }) {
    const orderBy = [{ column: 'id' as const, direction: 'asc' as const }]
    const found = await agentBuilds.list(ctx.db, { ...(hypervisor !== undefined && { hypervisor }) }, { orderBy })
    return { agents: found.map(view) }
  },
})

const create = operation({
  id: 'compute.agent_builds.create',
  method: 'POST',
  path,
  summary: "Name a build of guests' agents: guests of its kind with an older one are brought up to it",
  policy: ruleOf('create'),
  request: body('agent', Type.Object({ ...kind, ...file }, { additionalProperties: false })),
  status: 200,
  response: body('agent', Type.Object({ ...shown, ...shownKind })),
  async handle(ctx, { body: { agent } }) {
    const { hypervisor, os, architecture } = agent
    const exists = () =>
      new Conflict(`Agent-build with hypervisor ${hypervisor} os ${os} architecture ${architecture} exists.`)
    try {
      return await ctx.transaction(async tx => {
        if ((await agentBuilds.list(tx.db)).some(build => isFor(build, agent))) throw exists()
        await newAgentBuilds.insert(tx.db, { ...agent, offered: false })
        return { agent: view((await agentBuilds.find(tx.db, { hypervisor, os, architecture }))!) }
      })
    } catch (error) {
      if (!(error instanceof UniqueViolation)) throw error
      throw exists()
    }
  },
})

const update = operation({
  id: 'compute.agent_builds.update',
  method: 'PUT',
  path: onePath,
  summary: "Change which build of guests' agents is the newest",
  policy: ruleOf('update'),
  request: body('para', Type.Object(file, { additionalProperties: false })),
  response: body('agent', Type.Object(shown)),
  async handle(ctx, { params: { agent_build_id: asked }, body: { para } }) {
    const id = integerId(asked)
    if ((await agentBuilds.update(ctx.db, { id }, { ...para, offered: false })) === 0) throw absent(asked)
    return { agent: { agent_id: id, ...para } }
  },
})

const remove = operation({
  id: 'compute.agent_builds.delete',
  method: 'DELETE',
  path: onePath,
  summary: "Forget a build of guests' agents: guests keep what they have",
  status: 200,
  policy: ruleOf('delete'),
  async handle(ctx, { params: { agent_build_id: asked } }) {
    if ((await agentBuilds.remove(ctx.db, { id: integerId(asked) })) === 0) throw absent(asked)
    return undefined
  },
})

export const agentBuildOperations: Operation[] = [list, create, update, remove]
