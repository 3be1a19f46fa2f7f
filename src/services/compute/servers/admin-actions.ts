/** Small actions for what is stuck: reset of the state, of the network, crash dump. */
import { type Operation, reply } from '#kernel/operation.ts'
import { admin, projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { tell } from '../events.ts'
import { hostAgent } from '../host-agent.ts'
import { actionOperation, recordAction, serverAction } from './action.ts'
import { keepResized } from './moves/decide.ts'
import { hasAgent } from './software/software.ts'
import { callOptions } from './steps.ts'
import { findServer, updateServer } from './store.ts'

const resetState = actionOperation({
  id: 'compute.servers.reset_state',
  key: 'os-resetState',
  summary: 'Set the state of a server that is stuck',
  policy: rule('os_compute_api:os-admin-actions:reset_state', admin),
  body: Type.Object(
    { state: Type.Union([Type.Literal('active'), Type.Literal('error')]) },
    { additionalProperties: false },
  ),
  async handle(ctx, server, { state }) {
    await ctx.transaction(async tx => {
      await recordAction(tx, 'resetState', server.id)
      await updateServer(tx, server.id, { vm_state: state, task_state: null })
      await keepResized(tx, server.id)
      const old = { vm_state: server.vm_state, task_state: server.task_state }
      await tell(tx, server.id, 'update', { old })
    })
    return reply(undefined, { status: 202 })
  },
})

export const crashDump = serverAction({
  name: 'trigger_crash_dump',
  key: 'trigger_crash_dump',
  summary: 'Make a server write a crash dump',
  policy: rule('os_compute_api:servers:trigger_crash_dump', projectMemberOrAdmin),
  versions: { min: '2.17' },
  body: Type.Null(),
  event: 'trigger_crash_dump',
  async run(s, { server_id, host }) {
    await s.step('interrupt guest', async signal => {
      await hostAgent(s.ctx, host).call('injectNmi', { id: server_id }, { signal, request: s.ctx })
    })
    return {}
  },
})

export const injectNetworkInfo = serverAction({
  name: 'injectNetworkInfo',
  key: 'injectNetworkInfo',
  summary: "Have a server's host see to its ports again, and the agent in the guest give its NICs their addresses",
  policy: rule('os_compute_api:os-admin-actions:inject_network_info', admin),
  body: Type.Unknown(),
  event: 'inject_network_info',
  async run(s, { server_id, host }) {
    await s.step('wire ports', async signal => {
      await s.ctx.services.network.wire(s.ctx, server_id, host, signal)
    })
    await s.step('reset in the guest', async signal => {
      const server = await findServer(s.ctx, server_id)
      if (server?.vm_state !== 'active' || !hasAgent(server.image)) return
      const nics = await s.ctx.services.network.nicSettings(s.ctx, server_id)
      await hostAgent(s.ctx, host).call('resetNetwork', { id: server_id, nics }, callOptions(s.ctx, signal, 120_000))
    })
    return {}
  },
})

export const adminOperations: Operation[] = [resetState]
