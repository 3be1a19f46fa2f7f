/** Does what is to be done in guests: each a saga with a subject of its own, begun once the server runs. */
import { type Ctx, createCtx, systemIdentity } from '#kernel/context.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { anySaga, type Saga, saga } from '#kernel/saga/saga.ts'
import type { ServerRow } from '../server.ts'
import { type Failed, failureOf, guestReady, insideOf } from '../software/inside.ts'
import { hasAgent } from '../software/software.ts'
import type { WholeInside } from '../software/tools/tool.ts'
import { findServer } from '../store.ts'
import { bringUp } from './bring-up.ts'
import { growsItsDisk } from './disk-config.ts'
import { growRoot } from './grow-root.ts'
import { type GuestWork, workSubject, workSubjects } from './guest-work.ts'
import { systemsWithBuild, worksOfNew } from './new-guest.ts'
import { addWork, beginWork, type DueWork, dueWorks, endWork, forgetWorks, worksRunning } from './store.ts'

interface WorkInput {
  server_id: string
}

/** What came of it, in the words of the guest: fit for the server's owner. */
type Outcome = { failed: string } | object

/** How long one takes at most, the wait for the guest included. */
const deadlineMs = 3_600_000

/** What went wrong stands with its step. */
class WorkFailed extends Error {
  override readonly name = 'WorkFailed'
}

/** Done twice it is the same. */
type Act = (inside: WholeInside, about: { ctx: Ctx; id: string; signal: AbortSignal }) => Promise<Outcome>

function workSaga(work: GuestWork, step: string, act: Act): Saga<WorkInput> {
  return saga<WorkInput>(
    `compute.servers.${work}`,
    {
      revision: 1,
      deadline: deadlineMs,
      async failed(ctx, { server_id }, error) {
        // It is to be done again, or the server goes.
        if (!error.cancelled && error.name !== 'WorkFailed') await endWork(ctx, { server_id, work }, 'done')
      },
    },
    async (s, { server_id }) => {
      const ready = await s.step('wait for the guest', signal => guestReady(s.ctx, server_id, signal))
      const outcome: Failed | Outcome =
        'failed' in ready
          ? ready
          : await s.step(step, async signal => {
              const inside = insideOf(s.ctx, server_id, ready.system, signal)
              try {
                const done = await act(inside, { ctx: s.ctx, id: server_id, signal })
                return 'failed' in done ? { ...done, of_guest: true } : done
              } catch (error) {
                return failureOf(error)
              }
            })
      const away = 'away' in outcome ? outcome.away : undefined
      const how = away === 'asleep' || away === 'lost' ? away : 'done'
      await s.record('settle', ctx => endWork(ctx, { server_id, work }, how))
      if ('failed' in outcome && how !== 'asleep') throw new WorkFailed(`Not done: ${step}.`)
    },
  )
}

const sagas: Record<GuestWork, Saga<WorkInput>> = {
  grow_disk: workSaga('grow_disk', 'grow the root', growRoot),
  update_agent: workSaga('update_agent', 'update the agent', bringUp),
}

export const guestWorkSagas: Saga[] = Object.values(sagas).map(anySaga)

/** The server's root disk is larger than it was; in the caller's transaction. */
export async function diskIsLarger(ctx: Ctx, id: string): Promise<void> {
  const server = await findServer(ctx, id)
  if (!server || !growsItsDisk(server)) return
  await ctx.sagas.cancel(ctx, workSubject(id, 'grow_disk'))
  await addWork(ctx, id, 'grow_disk')
}

/** In place of the server's guest there is a new one; in the caller's transaction. */
export async function guestIsNew(ctx: Ctx, id: string): Promise<void> {
  const server = await findServer(ctx, id)
  if (!server) return
  for (const subject of workSubjects(id)) await ctx.sagas.cancel(ctx, subject)
  await forgetWorks(ctx, id)
  for (const work of worksOfNew(server, await systemsWithBuild(ctx, [server]))) await addWork(ctx, id, work)
}

/** Ends what goes on in a server's guest. */
export async function endWorks(ctx: Ctx, { id, image }: ServerRow): Promise<void> {
  if (hasAgent(image)) for (const subject of workSubjects(id)) await ctx.sagas.cancel(ctx, subject)
}

/** At a time, in the whole cloud: each holds its file in memory, and not all guests are to have a bad one at once. */
const mostUpdates = 4

const mostBegun = 500

/** Begins what waits for servers that run by now, or for agents that were silent. */
export const guestWorkRuns = reconciler({
  id: 'compute.guest_works',
  every: 5_000,
  async run(ctx) {
    for (const due of await dueWorks(ctx, 'grow_disk', mostBegun)) await begin(ctx, due)
    const free = mostUpdates - (await worksRunning(ctx, 'update_agent'))
    if (free > 0) for (const due of await dueWorks(ctx, 'update_agent', free)) await begin(ctx, due)
  },
})

async function begin(ctx: Ctx, due: DueWork): Promise<void> {
  const { id, project_id, user_id, work } = due
  const identity = { ...systemIdentity, project_id, user_id }
  const owner = createCtx(ctx, { requestId: `req-${ctx.ids.uuid()}`, identity })
  await owner.transaction(async tx => {
    if (!(await beginWork(tx, due))) return
    await tx.sagas.start(tx, sagas[work], { server_id: id }, workSubject(id, work))
  })
}
