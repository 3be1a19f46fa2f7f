/** Builds a claimed server on its host; when that host cannot, on another one. */
import type { Ctx } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { type SagaRun, saga } from '#kernel/saga/saga.ts'
import { tellTaskError } from '../choice-events.ts'
import { computeConfig } from '../config.ts'
import type { NicSpec } from '../drivers/driver.ts'
import { faultFacts, tell } from '../events.ts'
import { hostAgent, powerStates } from '../host-agent.ts'
import { releaseRoom } from '../rooms/steps.ts'
import { NoValidHost } from './explanation.ts'
import { guestSpec } from './guest-spec.ts'
import { place } from './placing.ts'
import type { TaskState } from './server.ts'
import {
  buildMs,
  destroyGuest,
  existingServer,
  faultOfSaga,
  mayRetryElsewhere,
  releaseClaims,
  requireChange,
  serverToUndo,
} from './steps.ts'
import { updateServer } from './store.ts'
import { keepExplanation, requestSpecOf } from './store-asked.ts'
import { forgetAdminPassword } from './store-guest-data.ts'
import { completeVolumes, volumesReady } from './volumes.ts'

export interface CreateInput {
  server_id: string
  /** Where room was claimed when the request was taken. */
  host: string
  /** How many hosts are tried; absent: as the configuration says. */
  attempts?: number
}

/** What a host did of its part: the value, or why another host should try. */
type Attempt<T> = { done: T } | { failed: string }

export const createSaga = saga<CreateInput>(
  'compute.servers.create',
  {
    revision: 1,
    deadline: 30 * 60_000,
    async failed(ctx, { server_id }, error, undo) {
      // The delete that ended it takes care of the rest.
      const server = await serverToUndo(ctx, server_id)
      if (error.cancelled || !server) return
      await releaseClaims(ctx, server_id, undo)
      const fault = faultOfSaga(ctx, error, `Build of instance ${server_id} aborted: `)
      // What was begun with it since its state was reset has nothing to act on.
      if (server.vm_state !== 'building') await ctx.sagas.cancel(ctx, server_id)
      const gone = { host: null, node: null, task_state: null, power_state: powerStates.nostate }
      await updateServer(ctx, server_id, { vm_state: 'error', ...gone, fault })
      await forgetAdminPassword(ctx, server_id)
      if (error.name === 'NoValidHost') await tellTaskError(ctx, 'build_instances', server_id, faultFacts(error))
      await tell(ctx, server_id, 'create.error', { fault: faultFacts(error) })
    },
  },
  async (s, { server_id: id, host: first, attempts }) => {
    const tried: string[] = []
    for (let host = first; ; ) {
      tried.push(host)
      const failed = await buildOn(s, id, host)
      if (failed === undefined) break
      await s.step(`clean up ${host}`, () => destroyGuest(s.ctx, host, id))
      host = await s.record(`choose instead of ${host}`, ctx =>
        chooseAgain(ctx, id, { tried, failed, attempts, signal: s.signal }),
      )
    }
    await s.last('activate', async ctx => {
      const launched_at = new Date(ctx.clock.now()).toISOString()
      const active = { vm_state: 'active', task_state: null, power_state: powerStates.running, launched_at } as const
      await updateServer(ctx, id, active, { vm_state: 'building', task_state: 'spawning' })
      await forgetAdminPassword(ctx, id)
      await completeVolumes(ctx, id)
      await tell(ctx, id, 'create.end')
    })
  },
)

/** Begins to build a server that has its host, in the caller's transaction. */
export async function buildServer(ctx: Ctx, input: CreateInput): Promise<void> {
  const deadline = ctx.config.of(computeConfig).build_timeout_seconds * 1000
  await ctx.sagas.start(ctx, { ...createSaga, deadline }, input, input.server_id)
}

/** Why the host could not build it; undefined when it did. */
async function buildOn(s: SagaRun, id: string, host: string): Promise<string | undefined> {
  await s.record(
    `bind ports to ${host}`,
    async ctx => {
      await ctx.services.network.bindPorts(ctx, id, host)
      await updateServer(ctx, id, { task_state: 'networking' }, { vm_state: 'building', task_state: buildTasks })
    },
    ctx => ctx.services.network.unbindPorts(ctx, id),
  )
  const wired = await s.step(`wire ports on ${host}`, signal =>
    attempt<NicSpec[]>(signal, () => s.ctx.services.network.wire(s.ctx, id, host, signal)),
  )
  if ('failed' in wired) return wired.failed
  const spawned = await s.step(
    `spawn on ${host}`,
    signal =>
      attempt<null>(signal, async () => {
        const busyWith = (task_state: TaskState) =>
          updateServer(s.ctx, id, { task_state }, { vm_state: 'building', task_state: buildTasks })
        await volumesReady(s.ctx, id, signal, () => busyWith('block_device_mapping'))
        await busyWith('spawning')
        const spec = await guestSpec(s.ctx, await existingServer(s.ctx, id), wired.done, host, signal)
        const options = { signal, request: s.ctx, deadline: s.ctx.clock.now() + buildMs }
        return hostAgent(s.ctx, host).call('spawn', { spec, power_on: true }, options)
      }),
    () => destroyGuest(s.ctx, host, id),
  )
  return 'failed' in spawned ? spawned.failed : undefined
}

const buildTasks = ['scheduling', 'networking', 'block_device_mapping', 'spawning'] as const

/** Failures that are the host's own become values, so that the saga can go on with another host. */
async function attempt<T>(signal: AbortSignal, work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { done: await work() }
  } catch (error) {
    if (signal.aborted || !mayRetryElsewhere(error)) throw error
    return { failed: messageOf(error) }
  }
}

/** Claims room on a host that has not been tried, in place of the present claim. */
async function chooseAgain(
  ctx: Ctx,
  id: string,
  {
    tried,
    failed,
    attempts,
    signal,
  }: { tried: string[]; failed: string; attempts: number | undefined; signal: AbortSignal },
): Promise<string> {
  const { schedule_attempts, build_timeout_seconds } = ctx.config.of(computeConfig)
  const most = attempts ?? schedule_attempts
  const server = await existingServer(ctx, id)
  const spec = await requestSpecOf(ctx, id)
  if (tried.length >= most || !spec) {
    throw new NoValidHost(
      `Exceeded maximum number of retries. Exceeded max scheduling attempts ${most} for instance ${id}. Last exception: ${failed}`,
    )
  }
  await ctx.services.network.unbindPorts(ctx, id)
  await releaseRoom(ctx, id)
  const { flavor, image, project_id, user_id } = server
  const patience = { ms: build_timeout_seconds * 1000, signal }
  const placing = await place(ctx, { flavor, image, spec, project_id, user_id, ignore: tried, patience }, [id])
  if (!('hosts' in placing)) {
    await keepExplanation(ctx, id, placing.explanation)
    throw new NoValidHost(
      `No valid host was found. Exhausted all hosts available for retrying build failures for instance ${id}. Last exception: ${failed}`,
    )
  }
  const { host, node, zone } = placing.hosts[0]!
  const there = { host, node, availability_zone: zone, task_state: 'scheduling' } as const
  requireChange(await updateServer(ctx, id, there, { vm_state: 'building', task_state: buildTasks }), id)
  return host
}
