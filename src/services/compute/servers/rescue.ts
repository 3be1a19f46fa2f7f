/** Rescue: a server boots from another disk, with its own beside, and goes back to its own. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { randomPassword } from '#kernel/ids.ts'
import { reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { anySaga, type Saga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { hostAgent, powerStates } from '../host-agent.ts'
import {
  actionOperation,
  actionSaga,
  beginAction,
  requireAllowed,
  requireHost,
  type ServerAction,
  serverAction,
} from './action.ts'
import { guestSpec } from './guest-spec.ts'
import { homeUndo } from './home-undo.ts'
import { rescueImage } from './image-of-server.ts'
import type { ServerImage, VmState } from './server.ts'
import { buildMs, callOptions, existingServer, stopping } from './steps.ts'
import { updateServer } from './store.ts'
import { forgetAdminPassword, updateGuestData } from './store-guest-data.ts'

interface RescueInput {
  image: ServerImage
  vm_state: VmState
}

/** Stops the guest and makes it what the server is, with or without a rescue disk. */
async function reshape(
  ctx: Ctx,
  id: string,
  host: string,
  rescue: { image: ServerImage } | undefined,
  options: { signal?: AbortSignal; power_on: boolean },
): Promise<void> {
  const { grace_seconds, waitMs } = stopping(ctx)
  const signal = options.signal ?? new AbortController().signal
  const server = await existingServer(ctx, id)
  const nics = await ctx.services.network.wire(ctx, id, host, signal)
  const spec = await guestSpec(ctx, { ...server, recovery: rescue ? { rescue } : null }, nics, host, signal)
  const input = { spec, power_on: options.power_on, grace_seconds }
  await hostAgent(ctx, host).call('reshape', input, callOptions(ctx, options.signal, waitMs + buildMs))
}

const ownDiskAgain = homeUndo<{ server_id: string; host: string; power_on: boolean }>(
  'own-disk-again',
  (ctx, { server_id, host, power_on }) => reshape(ctx, server_id, host, undefined, { power_on }),
)

const rescueSaga = actionSaga<RescueInput>({
  name: 'rescue',
  event: 'rescue',
  longCallsMs: buildMs,
  told: ({ image }) => ({ rescue_image_id: image.id }),
  async run(s, { server_id: id, host, body: { image, vm_state } }) {
    await s.step(
      'boot rescue disk',
      signal => reshape(s.ctx, id, host, { image }, { signal, power_on: true }),
      () => ownDiskAgain.run(s.ctx, { server_id: id, host, power_on: vm_state === 'active' }),
    )
    return { vm_state: 'rescued', power_state: powerStates.running, recovery: { rescue: { image } } }
  },
  settled: (ctx, { server_id }) => forgetAdminPassword(ctx, server_id),
  async undone(ctx, { server_id, body: { vm_state } }) {
    await updateServer(ctx, server_id, { vm_state, recovery: null })
    await forgetAdminPassword(ctx, server_id)
  },
})

const request = Type.Union([
  Type.Object(
    {
      adminPass: Type.Optional(Type.String()),
      rescue_image_ref: Type.Optional(Type.Unsafe<string>({ type: 'string', format: 'uuid' })),
    },
    { additionalProperties: false },
  ),
  Type.Null(),
])

export const rescueSagas: Saga[] = [ownDiskAgain.saga]

export const rescue: ServerAction = {
  saga: anySaga(rescueSaga),
  operation: actionOperation({
    id: 'compute.servers.rescue',
    key: 'rescue',
    summary: 'Boot a server from a rescue disk',
    policy: rule('os_compute_api:os-rescue', projectMemberOrAdmin),
    body: request,
    response: Type.Object({ adminPass: Type.String() }),
    async handle(ctx, server, asked) {
      requireAllowed(ctx, server, 'rescue')
      requireHost(server)
      if (!server.image && !ctx.atLeast('2.87')) throw new BadRequest('Cannot rescue a volume-backed instance')
      const image = asked?.rescue_image_ref ? await rescueImage(ctx, asked.rescue_image_ref) : server.image
      if (!image)
        throw new BadRequest(`Instance ${server.id} cannot be rescued: it has no image; name one to rescue it with.`)
      const admin_password = asked?.adminPass ?? randomPassword(ctx.ids, 12)
      await ctx.transaction(async tx => {
        const body = { image, vm_state: server.vm_state }
        const told = { rescue_image_id: image.id }
        await beginAction(tx, server, { name: 'rescue', event: 'rescue', saga: rescueSaga, body, told })
        await updateGuestData(tx, server.id, { admin_password })
      })
      return reply({ adminPass: admin_password }, { status: 200 })
    },
  }),
}

export const unrescue = serverAction({
  name: 'unrescue',
  key: 'unrescue',
  summary: 'Boot a rescued server from its own disk again',
  policy: rule('os_compute_api:os-unrescue', projectMemberOrAdmin),
  body: Type.Unknown(),
  event: 'unrescue',
  longCallsMs: buildMs,
  async run(s, { server_id, host }) {
    await s.step('boot own disk', signal => reshape(s.ctx, server_id, host, undefined, { signal, power_on: true }))
    return { vm_state: 'active', power_state: powerStates.running, recovery: null }
  },
})
