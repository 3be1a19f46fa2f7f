/** One run of a server's software: waits for the agent in its guest, then does one thing after the other, each an event of the server's actions. */
import { type Ctx, createCtx, systemIdentity } from '#kernel/context.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { type SagaError, saga } from '#kernel/saga/saga.ts'
import { faultFacts, tell } from '../../events.ts'
import { toldMessage } from '../steps.ts'
import { type Failed, failureOf, guestReady, insideOf } from './inside.ts'
import { notSilent, silentAgain } from './silence.ts'
import { hasGone, type PackageRow, type SoftwareDriver, softwareSubject } from './software.ts'
import { dueRuns, failWanted, packagesOf, softwareOf, updatePackage, updateSoftware, wantAllAgain } from './store.ts'
import { manifestFolder } from './tools/manifests.ts'
import type { NodeDefinition, Outcome, Task } from './tools/tool.ts'
import { tools } from './tools/tools.ts'

interface RunInput {
  server_id: string
  /** What the newest run of a server is known by. */
  run: string
}

interface Plan {
  driver: SoftwareDriver
  packages: NodeDefinition['packages']
  leaving: string[]
}

/** Of a step, in the journal. What failed is the guest's word, and fit for the server's owner. */
type Done = { version: string | null } | Failed

const deadlineMs = 3 * 3_600_000

/** A failure that was told already, item by item: users read which. */
class SoftwareFailed extends Error {
  override readonly name = 'SoftwareFailed'
}

export const softwareSaga = saga<RunInput>(
  'compute.servers.software',
  {
    revision: 1,
    deadline: deadlineMs,
    async failed(ctx, { server_id, run }, error) {
      // A newer request, a rebuild or a delete has taken its place.
      if (error.cancelled) return
      const message = told(error)
      const failed = {
        status: 'failed',
        ...(message && { message }),
        ...(error.name !== 'SoftwareFailed' && notSilent),
      } as const
      if (!(await updateSoftware(ctx, server_id, failed, { run }))) return
      await failUntried(ctx, server_id, message ?? 'It was not tried.')
      await tell(ctx, server_id, 'software.error', { fault: faultFacts(error) })
    },
  },
  async (s, { server_id: id, run }) => {
    const plan = await s.record('read the request', ctx => planned(ctx, id))
    const tasks = tools[plan.driver].tasks(plan)
    const agent = await s.step('wait for the guest', signal => cleanGuest(s.ctx, id, signal))
    const failures: { task: Task | null; failed: string }[] = []
    let away = 'failed' in agent ? agent : undefined
    if (away) failures.push({ task: null, failed: away.failed })
    const system = 'failed' in agent ? '' : agent.system
    for (const task of away ? [] : tasks) {
      const done = await s.step(task.event, signal => carriedOut(s.ctx, id, plan, task, { system, signal }))
      if (!('failed' in done)) continue
      if (!task.optional || done.away) failures.push({ task, failed: done.failed })
      if (done.away) {
        away = done
        break
      }
    }
    await s.record('settle', async ctx => {
      if (away?.away === 'asleep') {
        await updateSoftware(ctx, id, { status: 'waiting', message: away.failed, ...notSilent }, { run })
        return
      }
      const whole = failures.find(({ task }) => task?.package === undefined)
      const message = whole?.failed ?? null
      const status = failures.length > 0 ? 'failed' : 'done'
      const silence =
        away?.away === 'lost' ? silentAgain(ctx.clock.now(), (await softwareOf(ctx, id)) ?? notSilent) : notSilent
      if (!(await updateSoftware(ctx, id, { status, message, ...silence }, { run }))) return
      if (away) await failUntried(ctx, id, away.failed)
      if (failures.length === 0) await tell(ctx, id, 'software.end')
    })
    if (failures.length > 0 && away?.away !== 'asleep') throw new SoftwareFailed(summary(failures))
  },
)

/** Names of what failed, never what the guest says of it: that may quote a manifest, and this goes into logs. */
function summary(failures: readonly { task: Task | null }[]): string {
  const names = failures.map(({ task }) => task?.event ?? 'wait for the guest')
  return `Not done: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ` and ${names.length - 10} more` : ''}.`
}

function told(error: SagaError): string | undefined {
  if (error.name === 'SoftwareFailed') return undefined
  return error.name === 'DeadlineExceeded' ? 'The run took longer than three hours.' : toldMessage(error)
}

/** Not what it is to be, and nothing is known of why. */
const isUntried = ({ wanted, state }: PackageRow) => state === 'wanted' || (!wanted && state === 'installed')

async function failUntried(ctx: Ctx, id: string, message: string): Promise<void> {
  const names = (await packagesOf(ctx, id)).filter(isUntried).map(row => row.name)
  await failWanted(ctx, id, names, message)
}

async function planned(ctx: Ctx, id: string): Promise<Plan> {
  const row = await softwareOf(ctx, id)
  if (!row) throw new Error(`nothing is asked of the software of server ${id}`)
  const rows = await packagesOf(ctx, id)
  return {
    driver: row.driver,
    packages: rows.filter(one => one.wanted).map(one => ({ name: one.name, version: one.wanted_version })),
    leaving: rows.filter(one => !one.wanted && !hasGone(one)).map(one => one.name),
  }
}

/** A guest that is ready, without what a run before may have left there: one that made way for this one removed nothing. */
async function cleanGuest(ctx: Ctx, id: string, signal: AbortSignal): ReturnType<typeof guestReady> {
  const ready = await guestReady(ctx, id, signal)
  if ('failed' in ready) return ready
  try {
    await insideOf(ctx, id, ready.system, signal).run('rm', ['-rf', manifestFolder])
    return ready
  } catch (error) {
    return failureOf(error)
  }
}

async function carriedOut(
  ctx: Ctx,
  id: string,
  { driver, packages, leaving }: Plan,
  task: Task,
  { system, signal }: { system: string; signal: AbortSignal },
): Promise<Done> {
  try {
    const manifest = await manifestOf(ctx, id)
    const outcome = await tools[driver].act(insideOf(ctx, id, system, signal), task, { packages, leaving, manifest })
    if (task.package !== undefined) await keepOutcome(ctx, id, task.package, task, outcome)
    return 'failed' in outcome ? { ...outcome, of_guest: true } : { version: outcome.version }
  } catch (error) {
    return failureOf(error)
  }
}

async function manifestOf(ctx: Ctx, id: string): Promise<string | null> {
  const sealed = (await softwareOf(ctx, id))?.manifest ?? null
  return sealed === null ? null : ctx.services.identity.unsealed(ctx, sealed)
}

async function keepOutcome(ctx: Ctx, id: string, name: string, task: Task, outcome: Outcome): Promise<void> {
  if ('failed' in outcome) return updatePackage(ctx, id, name, { state: 'failed', message: outcome.failed })
  const { version } = outcome
  if (task.version !== undefined) return updatePackage(ctx, id, name, { state: 'installed', version, message: null })
  const before = (await packagesOf(ctx, id)).find(row => row.name === name)
  // A step that runs again after a crash finds what it has removed gone.
  const wasThere = outcome.had !== undefined || before?.version != null || before?.state === 'removed'
  await updatePackage(ctx, id, name, { state: wasThere ? 'removed' : 'absent', version, message: null })
}

/** Begins a run in the caller's transaction; one that goes on makes way. */
export async function beginRun(ctx: Ctx, id: string): Promise<void> {
  const run = ctx.ids.uuid()
  const subject = softwareSubject(id)
  await updateSoftware(ctx, id, { status: 'running', run, message: null })
  await ctx.sagas.cancel(ctx, subject)
  await tell(ctx, id, 'software.start')
  await ctx.sagas.start(ctx, softwareSaga, { server_id: id, run }, subject)
}

/** In place of the guest there is a new one, with nothing of it: a run begins once that is active. */
export async function beginAnew(ctx: Ctx, id: string): Promise<void> {
  if (await wantAllAgain(ctx, id)) await endRun(ctx, id)
}

/** Ends what goes on in a server's guest. */
export const endRun = (ctx: Ctx, id: string): Promise<void> => ctx.sagas.cancel(ctx, softwareSubject(id))

/** Begins runs of servers that have become active: built, built anew, or started again; and again those whose agent was silent. */
export const softwareRuns = reconciler({
  id: 'compute.software',
  every: 5_000,
  async run(ctx) {
    for (const { id, project_id, user_id, run, has_news } of await dueRuns(ctx)) {
      const identity = { ...systemIdentity, project_id, user_id }
      const owner = createCtx(ctx, { requestId: `req-${ctx.ids.uuid()}`, identity })
      await owner.transaction(async tx => {
        // A newer request has begun its own.
        if (await updateSoftware(tx, id, has_news ? notSilent : {}, { run, status: ['waiting', 'failed'] }))
          await beginRun(tx, id)
      })
    }
  },
})
