/** Takes the bytes of an image: onto the disk, through the checks, and only then active. Whatever fails, the image is queued again. */
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Gone, messageOf, OverQuota, Unavailable } from '#kernel/errors.ts'
import { StoreError } from '../blob-store.ts'
import { imageConfig } from '../config.ts'
import { tellNoBytes, tellOf } from '../events.ts'
import { type Contents, type Declared, inspectFile } from '../formats/format.ts'
import { findImage, noImage } from '../images/image.ts'
import { holdBase } from '../images/steps.ts'
import { type ImageRow, images, noBytes } from '../images/store.ts'
import { addLocation, removeFile } from '../locations/location.ts'
import { locations } from '../locations/store.ts'
import { checkLimit, mebibyte, roomIn } from '../quota.ts'
import { landingOf, pathIn, quotaWeight, stagingStore, storesOf } from '../stores.ts'
import { keepPart, partOf, writePart } from './blob.ts'
import { type Heartbeat, startHeartbeat } from './heartbeat.ts'
import { isInterruption, openPart } from './resume.ts'
import { checkSignature } from './signature.ts'

const isoNow = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()

/** What a row says of its bytes. */
export type Stored = Pick<ImageRow, 'blob' | 'size' | 'checksum' | 'os_hash_algo' | 'os_hash_value' | 'alive_at'>

export interface Incoming {
  bytes: Readable
  /** How many were promised. */
  size?: number | undefined
  /** Where they go; by default the main store. */
  store?: string | undefined
  /** They go on after so many that came before. What comes is kept for a while when it breaks off, to be gone on from. */
  after?: number | undefined
  /** The image that they are the changes to. */
  base?: string | undefined
  /** Whoever asked tells of a failure itself, as one of its own. */
  silent?: boolean
}

/** Stores the bytes of a queued image and activates it. Never inside a transaction: it may take hours. */
export function upload(ctx: Ctx, id: string, incoming: Incoming): Promise<ImageRow> {
  const store = incoming.store ?? storesOf(ctx).main.id
  return take(ctx, id, 'saving', { ...incoming, store }, row => ({
    check: (_stored, path) => checked(ctx, row, path),
    commit: (stored, contents) => finish(ctx, row, { ...stored, ...contents, status: 'active', store }),
  }))
}

/** Stores the bytes of a queued image for a later import to check and activate. */
export function stage(ctx: Ctx, id: string, incoming: Incoming): Promise<ImageRow> {
  return take(ctx, id, 'uploading', { ...incoming, store: stagingStore }, row => ({
    check: async () => null,
    commit: stored => finish(ctx, row, stored),
  }))
}

/** A name for the bytes of an image that no earlier attempt has used. */
export const newBlob = (ctx: Ctx, id: string) => `${id}.${ctx.ids.hex().slice(0, 8)}`

async function take(
  ctx: Ctx,
  id: string,
  status: 'saving' | 'uploading',
  { bytes, size, store, after, base, silent = false }: Incoming & { store: string },
  keeping: (row: ImageRow) => Keeping<Contents | null, ImageRow>,
): Promise<ImageRow> {
  ignoreErrorsMeanwhile(bytes)
  const blob = newBlob(ctx, id)
  await using before = after ? await openPart(ctx, id, landingOf(ctx, store), after) : undefined
  const row = before ? await before.takeOver(blob) : await begin(ctx, id, { blob, status, base_image_id: base ?? null })
  const keeps = (error: unknown) => after !== undefined && isInterruption(error)
  using beat = startHeartbeat(ctx, id, blob)
  try {
    const room = await roomIn(ctx, row.owner, resourceOf(status), status === 'saving' ? quotaWeight(ctx, store) : 1)
    const { check, commit } = keeping(row)
    const storage_class = storesOf(ctx).classOf(store, (await findImage(ctx, id))?.properties.store_class)
    return await storing(
      ctx,
      { blob, store, room, beat, keeps, storage_class },
      [...(before ? [before.bytes] : []), bytes],
      {
        async check(stored, path) {
          if (size === undefined || size === stored.size) return check(stored, path)
          throw new BadRequest(`The image has ${stored.size} bytes, but ${size} were promised.`)
        },
        commit,
      },
    )
  } catch (error) {
    if (keeps(error)) await images.update(ctx.db, { id, blob, status }, { alive_at: isoNow(ctx) })
    // Whoever deletes an image, or takes its upload over, may remove the file while it is worked on.
    else if (!(await requeue(ctx, id, blob, silent ? undefined : error)) && isMissing(error))
      throw goneMeanwhile(id, error)
    throw told(error, id)
  }
}

/** A stream may fail before it is read; who reads it is told then. */
function ignoreErrorsMeanwhile(bytes: Readable): void {
  bytes.on('error', () => {})
}

interface Storing {
  blob: string
  store: string
  /** The most bytes to take. */
  room: number
  beat?: Heartbeat
  /** As the store calls it. */
  storage_class?: string | undefined
  /** Whether what has come is to stay, to be gone on from. */
  keeps?: (error: unknown) => boolean
}

/** What is done with bytes that are whole and safe on the disk. */
export interface Keeping<Checked, Kept> {
  /** Looks at them before any other store gets them. */
  check(stored: Stored, path: string): Promise<Checked>
  /** Names them in a row. */
  commit(stored: Stored, checked: Checked): Promise<Kept>
}

/** Brings bytes into a store: to a file, through a check, to the store, into a row. When anything fails nothing stays. */
export async function storing<Checked, Kept>(
  ctx: Ctx,
  { blob, store, room, beat, keeps, storage_class }: Storing,
  streams: readonly Readable[],
  { check, commit }: Keeping<Checked, Kept>,
): Promise<Kept> {
  streams.forEach(ignoreErrorsMeanwhile)
  const { busy, open } = storesOf(ctx)
  const landing = landingOf(ctx, store)
  const path = await pathIn(ctx, landing, blob)
  const [progressed, signal] = [beat?.progressed, beat?.signal]
  busy.add(blob)
  try {
    const { size, md5, sha512 } = await writePart(path, streams, { maxBytes: room, progressed, signal })
    await keepPart(dirname(path), path)
    const hashes = { checksum: md5, os_hash_algo: 'sha512', os_hash_value: sha512 }
    const stored = { blob, size, ...hashes, alive_at: null }
    const checked = await check(stored, path)
    if (store !== landing) await (await open(store)).put(blob, path, { progressed, signal, storage_class })
    const kept = await commit(stored, checked)
    if (store !== landing) await removeFile(ctx, blob, landing)
    return kept
  } catch (error) {
    if (!keeps?.(error)) await discard(ctx, blob, new Set([landing, store]))
    throw error
  } finally {
    busy.delete(blob)
  }
}

/** What a file holds; throws 415 for one that is not what it is declared to be, or not safe, unless such are kept here. */
export function inspectBlob(ctx: Ctx, path: string, declared: Declared): Promise<Contents> {
  const { max_virtual_size_bytes, require_format_match, refuse_unsafe } = ctx.config.of(imageConfig)
  return inspectFile(path, declared, {
    max_virtual_size: max_virtual_size_bytes,
    any_format: !require_format_match,
    keep_unsafe: !refuse_unsafe,
  })
}

/** Removes what a failed upload left. Bytes that a row names stay: the commit may have failed only in its answer. */
async function discard(ctx: Ctx, blob: string, stores: Iterable<string>): Promise<void> {
  try {
    const kept = await images.find(ctx.db, { blob })
    for (const id of stores) {
      const store = await storesOf(ctx).open(id)
      await store.remove(partOf(blob))
      if (!kept || kept.alive_at !== null) await store.remove(blob)
    }
  } catch (error) {
    ctx.log.warn({ err: error, blob }, 'what a failed upload left is still there')
  }
}

const resourceOf = (status: string) => (status === 'saving' ? 'image_size_total' : 'image_stage_total')

/** queued → saving or uploading, by one caller alone. */
async function begin(
  ctx: Ctx,
  id: string,
  beginning: { blob: string; status: 'saving' | 'uploading'; base_image_id: string | null },
): Promise<ImageRow> {
  const { status, base_image_id } = beginning
  const row = await images.find(ctx.db, { id })
  if (!row) throw noImage(id)
  const missing = (['disk_format', 'container_format'] as const).filter(name => row[name] === null)
  if (status === 'saving' && row.status === 'queued' && missing.length > 0)
    throw new BadRequest(
      `Propert${missing.length > 1 ? 'ies' : 'y'} ${missing.join(', ')} must be set prior to saving data.`,
    )
  await checkLimit(ctx, row.owner, 'image_count_uploading', 1)
  const began = { ...beginning, alive_at: isoNow(ctx), updated_at: isoNow(ctx) }
  await ctx.transaction(async tx => {
    if (base_image_id !== null) await holdBase(tx, base_image_id)
    if ((await images.update(tx.db, { id, status: 'queued' }, began)) === 0)
      throw new Conflict(`Image status transition from ${row.status} to ${status} is not allowed`)
    if (status === 'saving') await tellOf(tx, id, 'prepare')
  })
  return { ...row, ...began }
}

/** What the bytes of an image hold, which are signed as they say. */
async function checked(ctx: Ctx, row: ImageRow, path: string): Promise<Contents> {
  const declared = { disk_format: row.disk_format!, container_format: row.container_format! }
  const contents = await inspectBlob(ctx, path, declared)
  const image = await findImage(ctx, row.id)
  if (image) await checkSignature(ctx, image, path)
  return contents
}

/** Writes what came of the upload that the row names: not of one that was given up on, nor for an image that was deleted meanwhile. */
async function finish(
  ctx: Ctx,
  row: ImageRow,
  patch: Stored & Partial<ImageRow> & { store?: string },
): Promise<ImageRow> {
  const { blob, size, checksum, os_hash_algo, os_hash_value, alive_at, status = row.status } = patch
  const { virtual_size = null, found_format = null, unsafe = null } = patch
  const contents = { virtual_size, found_format, unsafe }
  const done = { blob, size, checksum, os_hash_algo, os_hash_value, alive_at, ...contents, status }
  return ctx.transaction(async tx => {
    const weight = patch.store === undefined ? 1 : quotaWeight(tx, patch.store)
    await checkLimit(tx, row.owner, resourceOf(row.status), (size! * weight) / mebibyte)
    const mine = { id: row.id, status: row.status, blob }
    const changed = await images.update(tx.db, mine, { ...done, updated_at: isoNow(tx) })
    if (changed > 0 && status === 'active') {
      await locations.remove(tx.db, { image_id: row.id })
      await addLocation(tx, row.id, patch.store!)
      await tellOf(tx, row.id, 'upload', 'activate')
    }
    const after = changed > 0 ? await images.find(tx.db, { id: row.id }) : undefined
    if (after) return after
    throw goneMeanwhile(row.id)
  })
}

const goneMeanwhile = (id: string, cause?: unknown) =>
  new Gone(
    `Image ${id} could not be found after upload. The image may have been deleted during the upload, cleaning up the chunks uploaded.`,
    { cause },
  )

const isMissing = (error: unknown) => (error as { code?: string }).code === 'ENOENT'

/** Says why, unless `failure` is undefined. False when the image is no longer of this upload. The reconciler does it when this fails. */
async function requeue(ctx: Ctx, id: string, blob: string, failure: unknown): Promise<boolean> {
  const queued = { ...noBytes, status: 'queued', alive_at: null, updated_at: isoNow(ctx) }
  try {
    return await ctx.transaction(async tx => {
      const its = { id, status: ['saving', 'uploading', 'importing'], blob }
      if ((await images.update(tx.db, its, queued)) === 0) return false
      if (failure !== undefined) await tellNoBytes(tx, id, failure)
      return true
    })
  } catch (error) {
    ctx.log.warn({ err: error, image: id }, 'an image whose upload failed could not be queued again')
    return true
  }
}

/** The error as the caller is told. */
export function told(error: unknown, id: string): unknown {
  const code = (error as { code?: string }).code
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new OverQuota('Image storage media is full: There is not enough disk space on the image storage media.', {
      status: 413,
      cause: error,
    })
  if (error instanceof StoreError)
    return new Unavailable('The image store does not take the bytes at present.', { cause: error })
  if (isInterruption(error))
    return new BadRequest(`The upload of image ${id} was interrupted: ${messageOf(error)}`, { cause: error })
  return error
}
