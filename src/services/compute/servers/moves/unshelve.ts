/** Unshelving: a server comes back from its image, anywhere; or where it is, when it was not taken off its host. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { reply } from '#kernel/operation.ts'
import { admin, projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { anySaga, saga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { byVersion } from '#kernel/schema/marks.ts'
import { tellTaskError } from '../../choice-events.ts'
import { name } from '../../dialect.ts'
import { faultFacts, tell } from '../../events.ts'
import { hostAgent, powerStates } from '../../host-agent.ts'
import { zoneAvailable, zoneOfHost } from '../../hosts/hosts.ts'
import { releaseRoom } from '../../rooms/steps.ts'
import { type ActionInput, actionOperation, claimTask, requireAllowed, type ServerAction } from '../action.ts'
import { noValidHost } from '../explanation.ts'
import { guestSpec } from '../guest-spec.ts'
import { shelvedImage } from '../image-of-server.ts'
import { place } from '../placing.ts'
import type { ServerRow } from '../server.ts'
import {
  buildMs,
  callOptions,
  destroyGuest,
  existingServer,
  faultOf,
  requireChange,
  serverToUndo,
  toldMessage,
} from '../steps.ts'
import { findServer, updateServer } from '../store.ts'
import { keepExplanation, requestSpecOf, updateRequestSpec } from '../store-asked.ts'
import { type Claimed, granted, patienceMs } from './claim.ts'
import { requireKnownHost } from './resize.ts'
import * as steps from './steps.ts'
import { beginTidy } from './tidy.ts'

interface UnshelveBody {
  /** The host that was asked for. */
  to: string | null
  /** False: it is on its host still. */
  offloaded: boolean
}

const task = { task_state: 'unshelving' } as const

const unshelveSaga = saga<ActionInput<UnshelveBody>>(
  'compute.servers.unshelve',
  {
    revision: 1,
    deadline: steps.transferMs,
    async failed(ctx, { server_id: id }, error) {
      if (!(await serverToUndo(ctx, id))) return
      const fault = faultOf(ctx, toldMessage(error), error.details)
      await updateServer(ctx, id, { task_state: null, fault }, task)
      if (error.name === 'NoValidHost') await tellTaskError(ctx, 'unshelve_instance', id, faultFacts(error))
      await tell(ctx, id, 'unshelve.error', { fault: faultFacts(error) })
    },
  },
  async (s, { server_id: id, host: home, body }) => {
    const { ctx } = s
    const claimed = body.offloaded
      ? await s.record(
          'claim',
          async tx => {
            requireChange(await updateServer(tx, id, {}, task), id)
            return claimRoom(tx, id, body.to, s.signal)
          },
          (tx, output) => unclaim(tx, id, output),
        )
      : { host: home, node: '', zone: '' }
    const { host, node, zone } = granted(claimed)
    if (body.offloaded) {
      await s.step(`make room on ${host}`, signal => steps.clearHost(ctx, host, id, signal))
      await s.record(
        `bind ports to ${host}`,
        tx => tx.services.network.bindPorts(tx, id, host),
        tx => tx.services.network.unbindPorts(tx, id),
      )
    }
    await s.step(
      `boot on ${host}`,
      async signal => {
        const server = await existingServer(ctx, id)
        const agent = hostAgent(ctx, host)
        const nics = await ctx.services.network.wire(ctx, id, host, signal)
        const there = (await agent.call('state', { id }, callOptions(ctx, signal))) !== powerStates.nostate
        // It may have been taken off its host half-way.
        const image = there ? server.image : await shelvedImage(ctx, server)
        const spec = await guestSpec(ctx, { ...server, image }, nics, host, signal)
        if (there) await agent.call('start', { spec }, callOptions(ctx, signal, 300_000))
        else await agent.call('spawn', { spec, power_on: true }, callOptions(ctx, signal, buildMs))
      },
      async () => {
        // A delete does not know of this host.
        if (body.offloaded) return destroyGuest(ctx, host, id)
        if (!(await serverToUndo(ctx, id))) return
        await hostAgent(ctx, host).call('stop', { id, grace_seconds: 0 }, callOptions(ctx, undefined))
      },
    )
    const before = (await findServer(ctx, id))?.recovery ?? null
    await s.last('settle', async tx => {
      const launched_at = new Date(tx.clock.now()).toISOString()
      const active = { vm_state: 'active', power_state: powerStates.running, launched_at, recovery: null } as const
      const there = body.offloaded ? { host, node, availability_zone: zone } : {}
      requireChange(await updateServer(tx, id, { ...active, ...there, task_state: null, fault: null }, task), id)
      await tell(tx, id, 'unshelve.end')
      const image_id = before?.shelved?.image_id
      if (image_id !== undefined) await beginTidy(tx, { server_id: id, image_id })
    })
  },
)

async function claimRoom(ctx: Ctx, id: string, to: string | null, signal: AbortSignal): Promise<Claimed> {
  const { flavor, image, project_id, user_id } = await existingServer(ctx, id)
  const spec = await requestSpecOf(ctx, id)
  if (!spec) return { refused: `Nothing is known of what was asked for with instance ${id}.` }
  const wanted = { ...spec, requested_host: to }
  const patience = { ms: patienceMs, signal }
  const request = { flavor, image, project_id, user_id, ignore: [], spec: wanted, patience }
  const placing = await place(ctx, request, [id])
  if ('hosts' in placing) {
    const { host, node, zone } = placing.hosts[0]!
    return { host, node, zone }
  }
  await keepExplanation(ctx, id, placing.explanation)
  return { refused: noValidHost(ctx, placing.explanation).message }
}

async function unclaim(ctx: Ctx, id: string, claimed: Claimed): Promise<void> {
  if (!('refused' in claimed)) await releaseRoom(ctx, id)
}

const unshelveTo = rule('os_compute_api:os-shelve:unshelve_to_host', admin)
export const unshelveRules = [unshelveTo]

const inZone = Type.Union([Type.Object({ availability_zone: name }, { additionalProperties: false }), Type.Null()])
const onHost = Type.Union([
  Type.Object(
    { availability_zone: Type.Optional(Type.Union([Type.String(), Type.Null()])), host: Type.Optional(Type.String()) },
    { additionalProperties: false },
  ),
  Type.Null(),
])

export const unshelve: ServerAction = {
  saga: anySaga(unshelveSaga),
  operation: actionOperation({
    id: 'compute.servers.unshelve',
    key: 'unshelve',
    summary: 'Bring a server back from the shelf',
    policy: rule('os_compute_api:os-shelve:unshelve', projectMemberOrAdmin),
    body: byVersion({ '2.1': Type.Unknown(), '2.77': inZone, '2.91': onHost }, onHost),
    async handle(ctx, server, asked) {
      const zone = ctx.atLeast('2.77') ? asked?.availability_zone : undefined
      const to = (ctx.atLeast('2.91') ? asked?.host : undefined) ?? null
      requireAllowed(ctx, server, 'unshelve')
      const offloaded = server.vm_state === 'shelved_offloaded'
      if ((zone !== undefined || to !== null) && !offloaded) {
        throw new Conflict(
          `Specifying an availability zone or a host when unshelving server "${server.id}" with status ` +
            `"${server.vm_state}" is not supported. The server status must be SHELVED_OFFLOADED.`,
        )
      }
      await ctx.transaction(async tx => {
        await checkWish(tx, server, zone, to)
        await claimTask(tx, server, 'unshelve')
        await tell(tx, server.id, 'unshelve.start')
        const input = { server_id: server.id, host: server.host ?? '', task: task.task_state, body: { to, offloaded } }
        await tx.sagas.start(tx, unshelveSaga, input, server.id)
      })
      return reply(undefined, { status: 202 })
    },
  }),
}

/** The zone must be there, the host in it; the server is pinned to the zone that is named from now on. */
async function checkWish(ctx: Ctx, server: ServerRow, zone: string | null | undefined, to: string | null) {
  if (zone && !(await zoneAvailable(ctx, zone))) {
    throw new BadRequest('The requested availability zone is not available')
  }
  const spec = await requestSpecOf(ctx, server.id)
  if (!spec) return
  const pinned = zone === undefined ? spec.availability_zone : zone
  if (to !== null) {
    ctx.enforce(unshelveTo, { project_id: server.project_id, user_id: server.user_id })
    await requireKnownHost(ctx, to)
    if (pinned !== null && (await zoneOfHost(ctx, to)) !== pinned) {
      throw new Conflict(`Host "${to}" is not in the availability zone "${pinned}".`)
    }
  }
  if (pinned !== spec.availability_zone) await updateRequestSpec(ctx, server.id, { ...spec, availability_zone: pinned })
}
