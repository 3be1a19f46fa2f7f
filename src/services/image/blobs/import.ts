/** The import of an image: from where its bytes are, through the checks, into one or several stores. */
import type { Ctx } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { type SagaError, saga } from '#kernel/saga/saga.ts'
import type { Copier } from '../blob-store.ts'
import { imageConfig } from '../config.ts'
import { tellNoBytes, tellOf } from '../events.ts'
import { type Contents, type Declared, mismatchOf } from '../formats/format.ts'
import { findImage, writeDetails } from '../images/image.ts'
import { destroyImage } from '../images/steps.ts'
import { type ImageRow, images, noBytes } from '../images/store.ts'
import { addLocation, removeFile } from '../locations/location.ts'
import { locations } from '../locations/store.ts'
import { checkLimit, mebibyte, roomIn } from '../quota.ts'
import { landingOf, pathIn, quotaWeight, stagingStore, storesOf } from '../stores.ts'
import { endTask, taskGoesOn } from '../tasks/task.ts'
import { convert, type Target } from './convert.ts'
import { importEnds, storeIsDone } from './progress.ts'
import { checkSignature } from './signature.ts'
import { type Described, describeSource, type Method, openSource, tokensOf } from './source.ts'
import { inspectBlob, type Stored, storing } from './upload.ts'

export interface ImportInput {
  task: string
  image: string
  /** The name of the file, in whichever store. */
  blob: string
  method: Method
  stores: string[]
  allMustSucceed: boolean
  /** Whether the image is there only for its import and goes when that fails. */
  temporary: boolean
  /** The format that it is to have. */
  convert?: Target
}

const isCopy = (input: ImportInput) => input.method.name === 'copy-image'

/** What is known of the bytes once they are on this machine. */
interface Fetched extends Stored, Contents {
  /** What it was converted to. */
  disk_format?: string
  described?: Described | undefined
  /** What the bytes were declared to be when they were looked at. */
  declared?: Declared
}

export const importSaga = saga<ImportInput>(
  'image.import',
  { revision: 1, deadline: 24 * 3_600_000, failed: importFailed },
  async (s, input) => {
    const { ctx } = s
    await s.record('begin', async tx => {
      await checkQuota(tx, input)
      await taskGoesOn(tx, input.task)
    })
    const came = await s.step(
      'fetch',
      signal => fetchBytes(ctx, input, signal),
      () => unstage(ctx, input, []),
    )
    const { image, blob, convert: to } = input
    const fetched = to ? { ...came, ...(await convert(s, { image, blob, to }, came)) } : came
    const done: string[] = []
    for (const store of input.stores) {
      const copied = await s.step(
        `copy to ${store}`,
        signal => copyTo(ctx, input, fetched, store, signal),
        () => removeCopy(ctx, input, store),
      )
      if (copied.ok) done.push(store)
      const last = store === input.stores.at(-1)
      await s.record(`after ${store}`, tx => noteStore(tx, input, fetched, { store, last, ...copied }))
    }
    if (done.length === 0) throw new Error('None of the uploads finished!')
    await s.step('clean up', () => unstage(ctx, input, done))
    await s.last('end', async tx => {
      await importEnds(tx, input.image, input.task, [])
      await endTask(tx, input.task, { status: 'success', result: { image_id: input.image }, image_id: input.image })
    })
    tokensOf(ctx).delete(input.task)
  },
)

async function fetchBytes(ctx: Ctx, input: ImportInput, signal: AbortSignal): Promise<Fetched> {
  const image = await findImage(ctx, input.image)
  if (!image) throw new Error('the image was deleted')
  const { blob, size, checksum, os_hash_algo, os_hash_value, virtual_size, unsafe } = image
  const known = { blob, size, checksum, os_hash_algo, os_hash_value, alive_at: null }
  const found_format = image.found_format ?? 'raw'
  if (await isHere(ctx, input)) return { ...known, virtual_size, found_format, unsafe }
  const described = await describeSource(ctx, input.task, input.method)
  const declared = {
    disk_format: described?.disk_format ?? image.disk_format!,
    container_format: described?.container_format ?? image.container_format!,
  }
  const inspected = async (stored: Stored, path: string): Promise<Fetched> => {
    if (isCopy(input) && !isAlike(stored, image)) throw new Error('the bytes are not those any more that the image had')
    const contents = await inspectBlob(ctx, path, declared)
    await checkSignature(ctx, image, path)
    return { ...stored, ...contents, described, declared }
  }
  if (input.method.name === 'glance-direct') {
    return inspected(known, await pathIn(ctx, stagingStore, input.blob))
  }
  const bytes = await openSource(ctx, input.task, input.image, input.method, signal)
  const stopped = () => bytes.destroy(signal.reason)
  signal.addEventListener('abort', stopped, { once: true })
  try {
    const room = await roomIn(ctx, image.owner, 'image_stage_total')
    return await storing(ctx, { blob: input.blob, store: stagingStore, room }, [bytes], {
      check: inspected,
      commit: async (_stored, fetched) => fetched,
    })
  } finally {
    signal.removeEventListener('abort', stopped)
    bytes.destroy()
  }
}

/** Whether the bytes that were read are those of the image, as far as it is known what those are: others may write where they are. */
const isAlike = (stored: Stored, { checksum, os_hash_algo, os_hash_value }: Stored) =>
  os_hash_algo === stored.os_hash_algo
    ? os_hash_value === stored.os_hash_value
    : checksum === null || checksum === stored.checksum

/** The stores that have the bytes which a copy is made of. */
const heldOf = async (ctx: Ctx, { image }: ImportInput) =>
  (await locations.list(ctx.db, { image_id: image, url: null })).map(held => held.store)

/** What has a store copy from one that holds the bytes, without any of them coming here; undefined when none can. */
async function copierTo(ctx: Ctx, input: ImportInput, store: string): Promise<Copier | undefined> {
  if (!isCopy(input)) return undefined
  const { open } = storesOf(ctx)
  const target = await open(store)
  for (const held of await heldOf(ctx, input)) {
    const copy = target.copier?.(await open(held))
    if (copy) return copy
  }
  return undefined
}

/** A folder that a copy can be made of. */
async function sourceOf(ctx: Ctx, input: ImportInput): Promise<string | undefined> {
  return isCopy(input) ? (await heldOf(ctx, input)).find(store => landingOf(ctx, store) === store) : undefined
}

/** Whether nothing has to be fetched: a folder has it, or every store copies by itself. */
async function isHere(ctx: Ctx, input: ImportInput): Promise<boolean> {
  if ((await sourceOf(ctx, input)) !== undefined) return true
  const copiers = await Promise.all(input.stores.map(store => copierTo(ctx, input, store)))
  return copiers.every(copy => copy !== undefined)
}

/** What is staged counts where it goes; the rest needs room to be staged first, and counts as an upload. */
async function checkQuota(tx: Ctx, { image: id, method, stores }: ImportInput): Promise<void> {
  const image = await findImage(tx, id)
  if (!image) throw new Error('the image was deleted')
  if (method.name === 'glance-direct') {
    const weight = Math.min(...stores.map(store => quotaWeight(tx, store)))
    return checkLimit(tx, image.owner, 'image_size_total', (image.size! * weight) / mebibyte)
  }
  await checkLimit(tx, image.owner, 'image_stage_total', 0)
  await checkLimit(tx, image.owner, 'image_count_uploading', 0)
}

async function copyTo(
  ctx: Ctx,
  input: ImportInput,
  { size }: Fetched,
  store: string,
  signal: AbortSignal,
): Promise<{ ok: boolean; why?: string }> {
  try {
    const image = await findImage(ctx, input.image)
    if (image) await checkLimit(ctx, image.owner, 'image_size_total', (size! * quotaWeight(ctx, store)) / mebibyte)
    const storage_class = storesOf(ctx).classOf(store, image?.properties.store_class)
    const options = { signal, storage_class }
    const copy = await copierTo(ctx, input, store)
    const from = (await sourceOf(ctx, input)) ?? stagingStore
    if (copy) await copy(input.blob, size!, options)
    else if (from !== store)
      await (await storesOf(ctx).open(store)).put(input.blob, await pathIn(ctx, from, input.blob), options)
    return { ok: true }
  } catch (error) {
    if (input.allMustSucceed) throw error
    ctx.log.warn({ err: error, image: input.image, store }, 'an image could not be imported to a store')
    return { ok: false, why: messageOf(error) }
  }
}

async function removeCopy(ctx: Ctx, input: ImportInput, store: string): Promise<void> {
  if (store !== stagingStore || isCopy(input)) await removeFile(ctx, input.blob, store)
}

/** Removes the staged file, unless it is the image's own. */
async function unstage(ctx: Ctx, input: ImportInput, done: string[]): Promise<void> {
  if (done.includes(stagingStore)) return
  if ((await locations.count(ctx.db, { image_id: input.image, store: stagingStore })) > 0) return
  await removeFile(ctx, input.blob, stagingStore)
}

interface Noted {
  store: string
  ok: boolean
  last: boolean
}

/** The image is active with the last store, or with the first when not all have to succeed. */
async function noteStore(tx: Ctx, input: ImportInput, fetched: Fetched, { store, ok, last }: Noted): Promise<void> {
  const image = await findImage(tx, input.image)
  if (!image) throw new Error('the image was deleted')
  await storeIsDone(tx, input.image, store, ok)
  if (ok) await addLocation(tx, input.image, store)
  if (isCopy(input)) await checkLimit(tx, image.owner, 'image_size_total', 0)
  if (isCopy(input) || image.status !== 'importing') return
  const any = ok || image.locations.length > 0
  if (!any || (input.allMustSucceed && !last)) return
  const { described, declared, ...stored } = fetched
  if (declared && !described) checkStill(tx, image, declared, stored)
  const disk_format = stored.disk_format ?? described?.disk_format
  const now = new Date(tx.clock.now()).toISOString()
  await images.update(
    tx.db,
    { id: input.image },
    {
      ...{ blob: input.blob, size: stored.size, checksum: stored.checksum, os_hash_algo: stored.os_hash_algo },
      ...{ os_hash_value: stored.os_hash_value, virtual_size: stored.virtual_size },
      // Those that an older version has fetched say nothing of it.
      ...{ found_format: stored.found_format ?? null, unsafe: stored.unsafe ?? null },
      ...(described && { container_format: described.container_format }),
      ...(disk_format !== undefined && { disk_format }),
      ...{ status: 'active', alive_at: null, updated_at: now },
    },
  )
  await checkLimit(tx, image.owner, 'image_size_total', 0)
  if (described) {
    const before = (await findImage(tx, input.image))!
    await writeDetails(tx, { ...before, properties: { ...before.properties, ...described.properties } })
  }
  await tellOf(tx, input.image, 'upload', 'activate')
}

/** The formats of an image may be changed while it is imported: what they are now has to be true of the bytes too. */
function checkStill(tx: Ctx, image: ImageRow, before: Declared, { found_format, disk_format }: Fetched): void {
  const now = { disk_format: image.disk_format ?? '', container_format: image.container_format ?? '' }
  if (now.container_format !== before.container_format)
    throw new Error('The image is not acceptable: its container_format was changed while it was imported.')
  // What was converted has the format that it was converted to.
  if (disk_format !== undefined || now.disk_format === before.disk_format) return
  if (!tx.config.of(imageConfig).require_format_match) return
  const why = mismatchOf(now, found_format)
  if (why !== undefined) throw new Error(`The image is not acceptable: ${why}.`)
}

/** Puts the image back to what it was before the import. */
async function importFailed(tx: Ctx, input: ImportInput, error: SagaError): Promise<void> {
  tokensOf(tx).delete(input.task)
  await endTask(tx, input.task, { status: 'failure', message: error.message, image_id: input.image })
  const image = await findImage(tx, input.image)
  if (!image) return
  await locations.remove(tx.db, { image_id: input.image, store: input.stores, url: null })
  if (!isCopy(input)) {
    const queued = { ...noBytes, status: 'queued', alive_at: null, updated_at: new Date(tx.clock.now()).toISOString() }
    await images.update(tx.db, { id: input.image }, queued)
    await tellNoBytes(tx, input.image, error.message)
    tx.afterCommit(() => void removeFile(tx, input.blob, stagingStore))
  }
  await importEnds(tx, input.image, input.task, input.stores)
  if (input.temporary) await destroyImage(tx, image)
}
