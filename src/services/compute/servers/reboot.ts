/** Reboot: soft asks the guest, hard does not ask, and helps out of most states. */
import { reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { anySaga } from '#kernel/saga/saga.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { computeConfig } from '../config.ts'
import { hostAgent, powerStates } from '../host-agent.ts'
import { actionOperation, actionSaga, beginAction, type ServerAction } from './action.ts'
import { currentSpec } from './steps.ts'

const body = Type.Object(
  { type: Type.Unsafe<string>({ type: 'string', enum: ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft'] }) },
  { additionalProperties: false },
)

const isHard = ({ type }: Static<typeof body>) => type.toUpperCase() === 'HARD'

const rebootSaga = actionSaga<Static<typeof body>>({
  name: 'reboot',
  event: 'reboot',
  async run(s, { server_id, host, body: asked }) {
    await s.step('reboot guest', async signal => {
      const { ctx } = s
      const grace_seconds = ctx.config.of(computeConfig).stop_grace_seconds
      const spec = await currentSpec(ctx, server_id, host, signal)
      const deadline = ctx.clock.now() + (grace_seconds + 300) * 1000
      const type = isHard(asked) ? 'hard' : 'soft'
      await hostAgent(ctx, host).call('reboot', { spec, type, grace_seconds }, { signal, request: ctx, deadline })
    })
    return { vm_state: 'active', power_state: powerStates.running }
  },
})

export const reboot: ServerAction = {
  saga: anySaga(rebootSaga),
  operation: actionOperation({
    id: 'compute.servers.reboot',
    key: 'reboot',
    summary: 'Reboot a server',
    policy: rule('os_compute_api:servers:reboot', projectMemberOrAdmin),
    body,
    async handle(ctx, server, asked) {
      const name = isHard(asked) ? 'hard reboot' : 'reboot'
      await beginAction(ctx, server, { name, event: 'reboot', saga: rebootSaga, body: asked })
      return reply(undefined, { status: 202 })
    },
  }),
}
