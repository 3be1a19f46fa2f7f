/** Power actions: start and stop (also as power-on and power-off), pause, unpause, suspend, resume. */
import type { Ctx } from '#kernel/context.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import type { SagaRun } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { computeConfig } from '../config.ts'
import { hostAgent, powerStates } from '../host-agent.ts'
import { type ActionInput, type ServerAction, serverAction } from './action.ts'
import { currentSpec, isUnreachable, serverToUndo } from './steps.ts'

/** Nova ignores what these actions are given. */
const anything = Type.Unknown()

const callOptions = (ctx: Ctx, signal: AbortSignal, waitMs = 60_000) => ({
  signal,
  request: ctx,
  deadline: ctx.clock.now() + waitMs,
})

const startServer = rule('os_compute_api:servers:start', projectMemberOrAdmin)
const stopServer = rule('os_compute_api:servers:stop', projectMemberOrAdmin)

const starting = {
  body: anything,
  event: 'power_on',
  async run(s: SagaRun, { server_id, host }: ActionInput<unknown>) {
    await s.step('start guest', async signal => {
      const spec = await currentSpec(s.ctx, server_id, host, signal)
      await hostAgent(s.ctx, host).call('start', { spec }, callOptions(s.ctx, signal, 300_000))
    })
    return { vm_state: 'active', power_state: powerStates.running } as const
  },
}

const stopping = {
  body: anything,
  event: 'power_off',
  async run(s: SagaRun, { server_id, host }: ActionInput<unknown>) {
    await s.step('stop guest', async signal => {
      const grace_seconds = s.ctx.config.of(computeConfig).stop_grace_seconds
      const options = callOptions(s.ctx, signal, (grace_seconds + 60) * 1000)
      await hostAgent(s.ctx, host).call('stop', { id: server_id, grace_seconds }, options)
    })
    return { vm_state: 'stopped', power_state: powerStates.shutdown } as const
  },
}

export const start = serverAction({
  ...starting,
  name: 'start',
  key: 'os-start',
  summary: 'Start a server',
  policy: startServer,
})

export const stop = serverAction({
  ...stopping,
  name: 'stop',
  key: 'os-stop',
  summary: 'Stop a server',
  policy: stopServer,
})

/** `start` by the name that says what it does. Not upstream's. */
export const powerOn = serverAction({
  ...starting,
  name: 'power-on',
  key: 'power-on',
  summary: 'Power on a server that is off',
  policy: rule('nephos:servers:power_on', `rule:${startServer.name}`),
})

/** `stop` by the name that says what it does: the server stays on its host, with all that it has there. Not upstream's. */
export const powerOff = serverAction({
  ...stopping,
  name: 'power-off',
  key: 'power-off',
  summary: 'Power off a server, which keeps its place on its host',
  policy: rule('nephos:servers:power_off', `rule:${stopServer.name}`),
})

export const pause = serverAction({
  name: 'pause',
  key: 'pause',
  summary: 'Pause a server',
  policy: rule('os_compute_api:os-pause-server:pause', projectMemberOrAdmin),
  body: anything,
  event: 'pause',
  async run(s, { server_id, host }) {
    const agent = hostAgent(s.ctx, host)
    await s.step(
      'pause guest',
      async signal => {
        await agent.call('pause', { id: server_id }, callOptions(s.ctx, signal))
      },
      () => goOn(s.ctx, host, server_id),
    )
    return { vm_state: 'paused', power_state: powerStates.paused }
  },
})

/** A server does not follow a paused guest: that may be its hypervisor's doing. */
async function goOn(ctx: Ctx, host: string, id: string): Promise<void> {
  if (!(await serverToUndo(ctx, id))) return
  const agent = hostAgent(ctx, host)
  const { signal } = new AbortController()
  try {
    const power = await agent.call('state', { id }, callOptions(ctx, signal))
    if (power === powerStates.paused) await agent.call('unpause', { id }, callOptions(ctx, signal))
  } catch (error) {
    // Nobody waits for a host that is away: when it is back, a second pause makes the server's state the guest's.
    if (!isUnreachable(error)) throw error
  }
}

export const unpause = serverAction({
  name: 'unpause',
  key: 'unpause',
  summary: 'Let a paused server run again',
  policy: rule('os_compute_api:os-pause-server:unpause', projectMemberOrAdmin),
  body: anything,
  event: 'unpause',
  async run(s, { server_id, host }) {
    await s.step('unpause guest', async signal => {
      await hostAgent(s.ctx, host).call('unpause', { id: server_id }, callOptions(s.ctx, signal))
    })
    return { vm_state: 'active', power_state: powerStates.running }
  },
})

export const suspend = serverAction({
  name: 'suspend',
  key: 'suspend',
  summary: 'Save a server to disk and free its memory',
  policy: rule('os_compute_api:os-suspend-server:suspend', projectMemberOrAdmin),
  body: anything,
  event: 'suspend',
  async run(s, { server_id, host }) {
    await s.step('suspend guest', async signal => {
      await hostAgent(s.ctx, host).call('suspend', { id: server_id }, callOptions(s.ctx, signal, 600_000))
    })
    return { vm_state: 'suspended', power_state: powerStates.suspended }
  },
})

export const resume = serverAction({
  name: 'resume',
  key: 'resume',
  summary: 'Bring a suspended server back',
  policy: rule('os_compute_api:os-suspend-server:resume', projectMemberOrAdmin),
  body: anything,
  event: 'resume',
  async run(s, { server_id, host }) {
    await s.step('resume guest', async signal => {
      const spec = await currentSpec(s.ctx, server_id, host, signal)
      await hostAgent(s.ctx, host).call('resume', { spec }, callOptions(s.ctx, signal, 600_000))
    })
    return { vm_state: 'active', power_state: powerStates.running }
  },
})

export const powerActions: ServerAction[] = [start, stop, powerOn, powerOff, pause, unpause, suspend, resume]
