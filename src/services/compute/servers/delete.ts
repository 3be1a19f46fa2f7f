/** Delete a server: always wins, whatever the server is doing and in whatever state it is; deferred when the configuration says so. */
import type { Ctx } from '#kernel/context.ts'
import { operation, reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { saga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { computeConfig } from '../config.ts'
import type { Keep } from '../drivers/driver.ts'
import { tell, tellAll } from '../events.ts'
import { tellFailure } from '../resource-events.ts'
import { releaseRoom } from '../rooms/steps.ts'
import { loadServer, requireUnlocked } from './access.ts'
import { actionOperation } from './action.ts'
import { beginSoftDelete, defers } from './deferred-delete.ts'
import { diskToKeep, type KeptDisk, keepDisk } from './deleted-disks.ts'
import { endWorks } from './guest-works/run.ts'
import { confirmMove } from './moves/decide.ts'
import { moveIn, openMoves, updateMove } from './moves/store.ts'
import type { ServerRow } from './server.ts'
import { endRun } from './software/run.ts'
import { destroyGuest, faultOfSaga, releaseClaims } from './steps.ts'
import { findServer, guestDataOf, listServers, removeServer, updateServer } from './store.ts'
import { cleanupHosts } from './store-cleanups.ts'

const deadlineMs = 60 * 60_000
const dayMs = 24 * 3_600_000

/** The disk is sent to the image store before. */
const keepingDeadlineMs = 3 * 60 * 60_000

interface DeleteInput {
  server_id: string
  /** The image that its disk is to be kept as. */
  kept?: KeptDisk
}

export const deleteSaga = saga<DeleteInput>(
  'compute.servers.delete',
  {
    revision: 1,
    deadline: deadlineMs,
    async failed(ctx, { server_id }, error) {
      const fault = faultOfSaga(ctx, error)
      await updateServer(ctx, server_id, { vm_state: 'error', task_state: null, fault }, { task_state: 'deleting' })
      await tellFailure(ctx, 'compute.servers.delete', server_id, error)
    },
  },
  async (s, { server_id, kept }) => {
    if (kept) await s.step('keep disk', signal => keepDisk(s.ctx, server_id, kept, signal))
    await s.step('destroy guest', async () => {
      const server = await findServer(s.ctx, server_id)
      const keep = server && (await filesToKeep(s.ctx, server))
      for (const host of await hostsOf(s.ctx, server_id, server?.host ?? null))
        await destroyGuest(s.ctx, host, server_id, host === server?.host ? keep : undefined)
    })
    await s.last('release', async ctx => {
      const server = await findServer(ctx, server_id)
      await releaseClaims(ctx, server_id)
      for (const { uuid, status } of await openMoves(ctx, server_id)) {
        await releaseRoom(ctx, uuid)
        await updateMove(ctx, uuid, { status: status === 'finished' ? 'confirmed' : 'error' })
      }
      const shelved = server?.recovery?.shelved?.image_id
      if (shelved !== undefined) await ctx.services.image.remove(ctx, shelved)
      if (!server) return
      await removeServer(ctx, server)
      if (server.host !== null) await tell(ctx, server, 'shutdown.end')
      const terminated_at = new Date(ctx.clock.now()).toISOString()
      await tell(ctx, { ...server, terminated_at, task_state: null }, 'delete.end')
    })
  },
)

/** Where something of it may be: on its host, on both ends of a move that is not over, and where something was left. */
async function hostsOf(ctx: Ctx, id: string, host: string | null): Promise<Set<string>> {
  const moves = await openMoves(ctx, id)
  const all = [
    host,
    ...(await cleanupHosts(ctx, id)),
    ...moves.flatMap(({ source_host, dest_host }) => [source_host, dest_host]),
  ]
  return new Set(all.filter(name => name !== null))
}

/** Undefined: nothing is kept. Without its key an encrypted disk says nothing to anybody. */
async function filesToKeep(ctx: Ctx, { id, launched_at }: ServerRow): Promise<Keep | undefined> {
  const { days, keep_free_percent: free_percent } = ctx.config.of(computeConfig).deleted_files
  if (days === 0 || launched_at === null || (await guestDataOf(ctx, id))?.disk_key) return undefined
  return { until: new Date(ctx.clock.now() + days * dayMs).toISOString(), free_percent }
}

export async function beginDelete(ctx: Ctx, server: ServerRow): Promise<void> {
  await ctx.transaction(async tx => {
    const now = await claimDelete(tx, server.id)
    if (!now) return
    await tx.sagas.cancel(tx, server.id)
    await endRun(tx, server.id)
    await endWorks(tx, now)
    const deleting = { ...now, task_state: 'deleting' } as const
    await tellAll(tx, deleting, now.host === null ? ['delete.start'] : ['delete.start', 'shutdown.start'])
    const kept = await diskToKeep(tx, now)
    const input = { server_id: server.id, ...(kept && { kept }) }
    await tx.sagas.start(tx, kept ? { ...deleteSaga, deadline: keepingDeadlineMs } : deleteSaga, input, server.id)
  })
}

/** The server as it was; undefined when it goes already, or is gone: that is what was asked for. */
async function claimDelete(ctx: Ctx, id: string): Promise<ServerRow | undefined> {
  for (;;) {
    const now = await findServer(ctx, id)
    if (!now || now.task_state === 'deleting') return undefined
    const { task_state } = now
    // Whoever changes it at this moment is through then.
    if (await updateServer(ctx, id, { task_state: 'deleting' }, { task_state })) return now
  }
}

export const deleteServer = operation({
  id: 'compute.servers.delete',
  method: 'DELETE',
  path: '/v2.1/servers/{server_id}',
  summary: 'Delete a server',
  policy: rule('os_compute_api:servers:delete', projectMemberOrAdmin),
  load: loadServer,
  async handle(ctx, { target }) {
    requireUnlocked(ctx, target)
    await ctx.transaction(async tx => {
      const now = await decided(tx, target.id)
      if (now && defers(tx, now)) await beginSoftDelete(tx, now)
      else await beginDelete(tx, target)
    })
    return undefined
  },
})

/** A resized server whose deletion is deferred comes back as what it was resized to. */
async function decided(ctx: Ctx, id: string): Promise<ServerRow | undefined> {
  const server = await findServer(ctx, id)
  const deferred = ctx.config.of(computeConfig).reclaim_instance_seconds > 0
  if (!deferred || server?.vm_state !== 'resized' || server.task_state !== null) return server
  const move = await moveIn(ctx, id, ['finished'])
  if (!move) return server
  await confirmMove(ctx, server, move)
  return findServer(ctx, id)
}

export const forceDelete = actionOperation({
  id: 'compute.servers.force_delete',
  key: 'forceDelete',
  summary: 'Delete a server at once',
  policy: rule('os_compute_api:os-deferred-delete:force', projectMemberOrAdmin),
  body: Type.Unknown(),
  async handle(ctx, server) {
    requireUnlocked(ctx, server)
    await beginDelete(ctx, server)
    return reply(undefined, { status: 202 })
  },
})

/** Deletes for good what was deleted for as long as the configuration keeps it. */
export const reclaims = reconciler({
  id: 'compute.reclaims',
  every: 60_000,
  async run(ctx) {
    const seconds = ctx.config.of(computeConfig).reclaim_instance_seconds
    if (seconds === 0) return
    for (const { id } of await listServers(ctx, { vm_state: 'soft-delete', task_state: null })) {
      await ctx.transaction(async tx => {
        const server = await findServer(tx, id)
        const at = server?.recovery?.soft_deleted?.at
        if (server?.vm_state !== 'soft-delete' || server.task_state !== null || at === undefined) return
        if (ctx.clock.now() - Date.parse(at) >= seconds * 1000) await beginDelete(tx, server)
      })
    }
  },
})
