/** What is known of the agent in a server's guest. Not upstream's. */
import { type Operation, operation } from '#kernel/operation.ts'
import { projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { body } from '../../dialect.ts'
import { loadServer } from '../access.ts'
import { guestAgentOf } from './store.ts'

const nullable = Type.Union([Type.String(), Type.Null()])

const shown = Type.Object({
  /** As it said when the cloud last asked; null: it has not yet been asked. */
  version: nullable,
  /** Of the build for guests of its kind. */
  wanted_version: nullable,
  /** Why it was not brought up to it. */
  message: nullable,
  updated_at: nullable,
})

const nothing = { version: null, wanted_version: null, message: null, updated_at: null }

export const guestAgentOperations: Operation[] = [
  operation({
    id: 'compute.guest_agents.show',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/os-agent',
    summary: "Show which version the agent in a server's guest is of",
    policy: rule('nephos:agent:show', projectReaderOrAdmin),
    load: loadServer,
    response: body('agent', shown),
    async handle(ctx, { target }) {
      const { version, wanted_version, message, updated_at } = (await guestAgentOf(ctx, target.id)) ?? nothing
      return { agent: { version, wanted_version, message, updated_at } }
    },
  }),
]
