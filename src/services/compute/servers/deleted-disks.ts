/** The disk of a server that is deleted, sent to the image store and kept for a while, when its owner or the operator wants that. */
import { type Ctx, createCtx, systemIdentity } from '#kernel/context.ts'
import { messageOf, NotFound } from '#kernel/errors.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { factsOf } from '#kernel/request-facts.ts'
import { computeConfig } from '../config.ts'
import { isTrue } from '../dialect.ts'
import { hostAgent } from '../host-agent.ts'
import { snapshotImage, storeDisk } from './create-image.ts'
import type { ServerRow } from './server.ts'
import { callOptions } from './steps.ts'
import { findServer, guestDataOf } from './store.ts'
import { deletedDisks } from './store-deleted-disks.ts'

/** In the server's metadata. */
const mark = 'backup_on_delete'
const hourMs = 3_600_000

export interface KeptDisk {
  image_id: string
  expires_at: string
}

/** In the transaction that begins its deletion: the image that is to be, which will go at its time whatever becomes of it. Undefined when there is none. */
export async function diskToKeep(ctx: Ctx, server: ServerRow): Promise<KeptDisk | undefined> {
  const { hours, always } = ctx.config.of(computeConfig).deleted_disks
  const { id, host, image, launched_at, metadata } = server
  const isAsked = mark in metadata ? isTrue(metadata[mark]) : always
  if (hours === 0 || !isAsked || host === null || image === null || launched_at === null) return undefined
  // A copy would be plain.
  if ((await guestDataOf(ctx, id))?.disk_key) return undefined
  const kept = { image_id: ctx.ids.uuid(), expires_at: new Date(ctx.clock.now() + hours * hourMs).toISOString() }
  await deletedDisks.insert(ctx.db, { ...kept, server_id: id })
  return kept
}

/** A delete always wins: where the disk cannot be had, or its time is over already, it goes on without. */
export async function keepDisk(ctx: Ctx, id: string, kept: KeptDisk, signal: AbortSignal): Promise<void> {
  const server = await findServer(ctx, id)
  if (!server?.host || ctx.clock.now() >= Date.parse(kept.expires_at)) return
  const identity = { ...systemIdentity, project_id: server.project_id, user_id: server.user_id }
  const owner = createCtx(ctx, { ...factsOf(ctx), identity })
  const format = server.image?.disk_format ?? 'qcow2'
  try {
    if (!(await isThere(owner, kept.image_id))) {
      // A host that does not answer is found out sooner so than with the disk.
      await hostAgent(ctx, server.host).call('state', { id }, callOptions(ctx, signal))
      const properties = { expires_at: kept.expires_at }
      const asked = {
        id: kept.image_id,
        name: `${server.display_name}-deleted`,
        image_type: 'backup',
        properties,
      } as const
      await snapshotImage(owner, server, asked)
    }
    await storeDisk(owner, server.host, { id, image_id: kept.image_id, format }, signal)
  } catch (error) {
    if (ctx.sagas.stopping) throw error
    ctx.log.warn({ err: messageOf(error), server_id: id }, 'the disk of a deleted server could not be kept')
    await owner.services.image.remove(owner, kept.image_id)
  }
}

async function isThere(ctx: Ctx, image: string): Promise<boolean> {
  try {
    await ctx.services.image.get(ctx, image)
    return true
  } catch (error) {
    if (error instanceof NotFound) return false
    throw error
  }
}

/** Removes those whose time is over. */
export const expiredDisks = reconciler({
  id: 'compute.expired-disks',
  every: 600_000,
  async run(ctx) {
    const value = new Date(ctx.clock.now()).toISOString()
    for (const { image_id } of await deletedDisks.list(ctx.db, { expires_at: { op: '<=', value } }, { limit: 1000 })) {
      try {
        await ctx.services.image.remove(ctx, image_id)
        await deletedDisks.remove(ctx.db, { image_id })
      } catch (error) {
        ctx.log.warn({ err: messageOf(error), image_id }, 'the disk of a deleted server could not be removed')
      }
    }
  },
})
