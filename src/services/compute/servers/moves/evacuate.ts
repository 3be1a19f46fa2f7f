/** Evacuation: a server of a host that is down is built anew elsewhere; its old guest goes when the host is back. */

import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { randomPassword } from '#kernel/ids.ts'
import { reply } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { anySaga, saga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { between, until } from '#kernel/schema/marks.ts'
import { flag, hostName, isTrue } from '../../dialect.ts'
import { tell } from '../../events.ts'
import { hostAgent } from '../../host-agent.ts'
import { isUp } from '../../hosts/host.ts'
import { hosts } from '../../hosts/store.ts'
import { releaseRoom } from '../../rooms/steps.ts'
import { type ActionInput, actionOperation, requireAllowed, requireHost, type ServerAction } from '../action.ts'
import { guestIsNew } from '../guest-works/run.ts'
import type { ServerRow } from '../server.ts'
import { beginAnew } from '../software/run.ts'
import { buildMs, callOptions, destroyGuest, requireChange, serverToUndo } from '../steps.ts'
import { updateServer } from '../store.ts'
import { cleanupHosts, rememberCleanup } from '../store-cleanups.ts'
import { forgetAdminPassword, updateGuestData } from '../store-guest-data.ts'
import { beginMove } from './begin.ts'
import { type Busy, bindToTarget, claimTarget } from './claim.ts'
import type { MoveBody } from './move.ts'
import * as steps from './steps.ts'
import { moves, updateMove } from './store.ts'

interface EvacuateBody extends MoveBody {
  to: string | null
  forced: boolean
  power_on: boolean
  /** Nobody asked for it: when its host is back before it is built elsewhere, it stays there. */
  unless_back?: true
}

const task = { task_state: 'rebuilding' } as const
const busy: Busy = { with: ['rebuilding'] }
const claiming: Busy = { ...busy, tell: ['rebuild.scheduled'] }
const binding: Busy = { ...busy, tell: ['rebuild.start'] }

const evacuateSaga = saga<ActionInput<EvacuateBody>>(
  'compute.servers.evacuate',
  {
    revision: 1,
    deadline: steps.transferMs,
    async failed(ctx, input, error, undo) {
      await steps.moveFailed(['rebuild.error'], ['rebuilding'], 'failed')(ctx, input, error, undo)
      await forgetAdminPassword(ctx, input.server_id)
    },
  },
  async (s, input) => {
    const { ctx } = s
    const { server_id: id, body } = input
    const { to, forced } = body
    const at = await claimTarget(s, input, claiming, () => ({ to, forced, status: 'pre-migrating' }))
    const { move, host: target, zone } = at
    await bindToTarget(s, at, binding)
    const { power_on } = body
    await s.step(
      `spawn on ${target}`,
      async signal => {
        if (body.unless_back) await requireStillDown(ctx, move.source_host)
        const spec = await steps.specThere(ctx, move, target, signal)
        await hostAgent(ctx, target).call('spawn', { spec, power_on }, callOptions(ctx, signal, buildMs))
      },
      async () => {
        if (await serverToUndo(ctx, id)) await destroyGuest(ctx, target, id)
      },
    )
    await s.last('settle', async tx => {
      const vm_state = power_on ? 'active' : 'stopped'
      const there = { ...steps.settledOn(move, 'target', zone), power_state: steps.powerOf(power_on) }
      requireChange(await updateServer(tx, id, { ...there, vm_state, task_state: null, fault: null }, task), id)
      await forgetAdminPassword(tx, id)
      // The room at the source is held until the host has let go of the old guest.
      await updateMove(tx, move.uuid, { status: 'done' })
      await rememberCleanup(tx, move.source_host, id)
      await beginAnew(tx, id)
      await guestIsNew(tx, id)
      await tell(tx, id, 'rebuild.end')
    })
  },
)

/** Of a server whose host is down for certain. */
export async function beginEvacuation(
  ctx: Ctx,
  server: ServerRow,
  body: Omit<EvacuateBody, 'move'>,
  password = randomPassword(ctx.ids, 12),
): Promise<void> {
  // Nothing is lost of one that was never built, and its build, wherever it is, ends by itself.
  if (server.launched_at === null) throw new Conflict(`Instance ${server.id} was never built: delete it.`)
  await ctx.transaction(async tx => {
    // Whatever goes on with it waits for its host: for nothing.
    await tx.sagas.cancel(tx, server.id)
    const first = 'evacuate'
    const { to } = body
    const saga = evacuateSaga
    await beginMove(tx, server, { name: 'evacuate', event: first, first, type: 'evacuation', to, saga, body })
    await updateGuestData(tx, server.id, { admin_password: password })
  })
}

export const evacuate: ServerAction = {
  saga: anySaga(evacuateSaga),
  operation: actionOperation({
    id: 'compute.servers.evacuate',
    key: 'evacuate',
    summary: 'Build a server of a failed host anew on another one',
    policy: rule('os_compute_api:os-evacuate', admin),
    body: Type.Object(
      {
        host: Type.Optional(hostName),
        onSharedStorage: until('2.13', flag),
        adminPass: Type.Optional(Type.String()),
        force: between('2.29', '2.67', flag),
      },
      { additionalProperties: false },
    ),
    response: Type.Object({ adminPass: until('2.13', Type.Union([Type.String(), Type.Null()])) }),
    async handle(ctx, server, asked) {
      const shared = isTrue(asked.onSharedStorage)
      if (!ctx.atLeast('2.14') && asked.onSharedStorage === undefined) {
        throw new BadRequest("Invalid input for field/attribute evacuate. 'onSharedStorage' is a required property")
      }
      if (shared) {
        if (asked.adminPass !== undefined) throw new BadRequest("admin password can't be changed on existing disk")
        throw new BadRequest('The hosts of this cloud share no storage: evacuate with onSharedStorage=False.')
      }
      const to = asked.host ?? null
      if (isTrue(asked.force) && to === null) throw new BadRequest("Can't force to a non-provided destination")
      if (to !== null && !(await hosts.find(ctx.db, { name: to }))) throw new NotFound(`Compute host ${to} not found.`)
      if (to !== null && server.host === to) throw new BadRequest("The target host can't be the same one.")
      requireAllowed(ctx, server, 'evacuate')
      await requireSourceDown(ctx, requireHost(server))
      const password = asked.adminPass ?? randomPassword(ctx.ids, 12)
      // From 2.95 on the server's owner decides when it runs again.
      const power_on = !ctx.atLeast('2.95') && server.vm_state !== 'stopped'
      const forced = to !== null && (!ctx.atLeast('2.29') || isTrue(asked.force))
      await beginEvacuation(ctx, server, { to, forced, power_on }, password)
      return ctx.atLeast('2.14') ? reply(undefined, { status: 200 }) : reply({ adminPass: password }, { status: 200 })
    },
  }),
}

async function requireSourceDown(ctx: Ctx, name: string): Promise<void> {
  const host = await hosts.find(ctx.db, { name })
  if (host && isUp(ctx, host)) throw new BadRequest(`Compute service of ${name} is still in use.`)
}

async function requireStillDown(ctx: Ctx, name: string): Promise<void> {
  const host = await hosts.find(ctx.db, { name })
  if (host && isUp(ctx, host)) throw new Conflict(`Host ${name} is back.`)
}

/** Gives back the room that evacuated servers had at their source, once nothing of them is left there. */
export const evacuatedSources = reconciler({
  id: 'compute.evacuated-sources',
  every: 60_000,
  async run(ctx) {
    for (const { uuid, source_host, server_id } of await moves.list(ctx.db, { type: 'evacuation', status: 'done' })) {
      if ((await cleanupHosts(ctx, server_id)).includes(source_host)) continue
      await ctx.transaction(async tx => {
        await releaseRoom(tx, uuid)
        await updateMove(tx, uuid, { status: 'completed' })
      })
    }
  },
})
