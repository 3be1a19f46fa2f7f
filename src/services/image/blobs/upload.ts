/** Takes the bytes of an image: onto the disk, through the checks, and only then active. Whatever fails, the image is queued again. */
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Gone, messageOf, OverQuota } from '#kernel/errors.ts'
import { imageConfig } from '../config.ts'
import { type Declared, inspectFile } from '../formats/format.ts'
import { noImage } from '../images/image.ts'
import { type ImageRow, images, usageOf } from '../images/store.ts'
import { blobsOf, keepPart, partOf, removeBlob, writePart } from './blob.ts'

/** How often an upload says that it lives. */
const heartbeat = 60_000

const isoNow = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()

/** What a row says of its bytes. */
export type Stored = Pick<
  ImageRow,
  'blob' | 'size' | 'virtual_size' | 'checksum' | 'os_hash_algo' | 'os_hash_value' | 'status' | 'alive_at'
>

/** Stores the bytes of a queued image and activates it. Never inside a transaction: it may take hours. */
export async function upload(ctx: Ctx, id: string, bytes: Readable): Promise<ImageRow> {
  const blob = newBlob(ctx, id)
  const row = await begin(ctx, id, blob)
  const beat = startHeartbeat(ctx, id, blob)
  try {
    const room = await roomFor(ctx, row)
    const declared = { disk_format: row.disk_format!, container_format: row.container_format! }
    return await storing(ctx, { blob, declared, room }, bytes, stored => finish(ctx, id, stored))
  } catch (error) {
    await requeue(ctx, id, blob)
    throw told(error, id)
  } finally {
    beat[Symbol.dispose]()
  }
}

/** A name for the bytes of an image that no earlier attempt has used. */
export const newBlob = (ctx: Ctx, id: string) => `${id}.${ctx.ids.hex().slice(0, 8)}`

interface Storing {
  blob: string
  declared: Declared
  /** The most bytes to take. */
  room: number
}

/** Writes, checks and keeps bytes, then has `commit` name them in a row. When anything fails nothing stays on the disk. */
export async function storing<T>(
  ctx: Ctx,
  { blob, declared, room }: Storing,
  bytes: Readable,
  commit: (stored: Stored) => Promise<T>,
): Promise<T> {
  const blobs = blobsOf(ctx)
  const directory = await blobs.directory()
  const path = join(directory, blob)
  blobs.busy.add(blob)
  try {
    const written = await writePart(path, bytes, room)
    const virtual_size = await inspectFile(partOf(path), declared, {
      max_virtual_size: ctx.config.of(imageConfig).max_virtual_size_bytes,
    })
    await keepPart(directory, path)
    return await commit({
      blob,
      status: 'active',
      size: written.size,
      virtual_size,
      checksum: written.md5,
      os_hash_algo: 'sha512',
      os_hash_value: written.sha512,
      alive_at: null,
    })
  } catch (error) {
    await discard(ctx, path, blob)
    throw error
  } finally {
    blobs.busy.delete(blob)
  }
}

/** Removes what a failed upload left. A file that a row names as its bytes stays: the commit may have failed only in its answer. */
async function discard(ctx: Ctx, path: string, blob: string): Promise<void> {
  try {
    await removeBlob(partOf(path))
    if ((await images.count(ctx.db, { blob, status: ['active', 'deactivated'] })) === 0) await removeBlob(path)
  } catch (error) {
    ctx.log.warn({ err: error, blob }, 'the file of a failed upload is still there')
  }
}

/** queued → saving, by one caller alone. */
async function begin(ctx: Ctx, id: string, blob: string): Promise<ImageRow> {
  const row = await images.find(ctx.db, { id })
  if (!row) throw noImage(id)
  const missing = (['disk_format', 'container_format'] as const).filter(name => row[name] === null)
  if (row.status === 'queued' && missing.length > 0)
    throw new BadRequest(
      `Propert${missing.length > 1 ? 'ies' : 'y'} ${missing.join(', ')} must be set prior to saving data.`,
    )
  const now = isoNow(ctx)
  const begun = await images.update(
    ctx.db,
    { id, status: 'queued' },
    { status: 'saving', blob, alive_at: now, updated_at: now },
  )
  if (begun === 0) throw new Conflict(`Image status transition from ${row.status} to saving is not allowed`)
  return row
}

/** saving → active, for the upload that the row names: not for one that was given up on, nor for an image that was deleted meanwhile. */
async function finish(ctx: Ctx, id: string, stored: Stored): Promise<ImageRow> {
  return ctx.transaction(async tx => {
    const mine = { id, status: 'saving', blob: stored.blob }
    const changed = await images.update(tx.db, mine, { ...stored, updated_at: isoNow(tx) })
    const row = changed > 0 ? await images.find(tx.db, { id }) : undefined
    if (!row)
      throw new Gone(
        `Image ${id} could not be found after upload. The image may have been deleted during the upload, cleaning up the chunks uploaded.`,
      )
    return row
  })
}

/** The reconciler does it when this fails. */
async function requeue(ctx: Ctx, id: string, blob: string): Promise<void> {
  const queued = { status: 'queued', blob: null, alive_at: null, updated_at: isoNow(ctx) }
  try {
    await images.update(ctx.db, { id, status: 'saving', blob }, queued)
  } catch (error) {
    ctx.log.warn({ err: error, image: id }, 'an image whose upload failed could not be queued again')
  }
}

/** How many bytes may come, by the size limit and what is left of the project's quota. */
export async function roomFor(ctx: Ctx, { owner }: Pick<ImageRow, 'owner'>): Promise<number> {
  const { max_size_bytes, project_bytes } = ctx.config.of(imageConfig)
  if (project_bytes === 0 || owner === null) return max_size_bytes
  const left = project_bytes - (await usageOf(ctx.db, owner)).bytes
  if (left <= 0)
    throw new OverQuota('Image exceeds the storage quota: The size of the data would exceed the quota.', {
      status: 413,
    })
  return Math.min(max_size_bytes, left)
}

function startHeartbeat(ctx: Ctx, id: string, blob: string): Disposable {
  let timer = ctx.clock.after(heartbeat, beat)
  function beat() {
    images.update(ctx.db, { id, status: 'saving', blob }, { alive_at: isoNow(ctx) }).catch(() => {})
    timer = ctx.clock.after(heartbeat, beat)
  }
  return { [Symbol.dispose]: () => timer.cancel() }
}

/** The error as the caller is told. */
export function told(error: unknown, id: string): unknown {
  const code = (error as { code?: string }).code
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new OverQuota('Image storage media is full: There is not enough disk space on the image storage media.', {
      status: 413,
      cause: error,
    })
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new BadRequest(`The upload of image ${id} was interrupted: ${messageOf(error)}`, { cause: error })
  return error
}
