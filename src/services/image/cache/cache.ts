/** The cache: copies of images that are far away, on a disk of this node, up to a size. */
import { mkdir, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Ctx, Env } from '#kernel/context.ts'
import { keepPart, listBlobs, readBlob, removeBlob, writePart } from '../blobs/blob.ts'
import { imageConfig } from '../config.ts'
import { images } from '../images/store.ts'
import { stagingStore, storesOf } from '../stores.ts'
import { type CachedRow, cached, enqueue } from './store.ts'

/** Whose cache it is: each node has one. */
export const nodeOf = (env: Env) => env.config.of(imageConfig).cache_node || hostname()
export const cacheSize = (env: Env) => env.config.of(imageConfig).cache_bytes
export const cacheReconciler = 'image.cache'

async function folder(env: Env): Promise<string> {
  const own = env.config.of(imageConfig).cache_directory
  const path = own || join(await storesOf(env).directoryOf(stagingStore), 'cache')
  await mkdir(path, { recursive: true, mode: 0o700 })
  return path
}

const iso = (env: Env) => new Date(env.clock.now()).toISOString()

/** Has an image cached soon. */
export async function queueForCache(env: Env, image_id: string): Promise<void> {
  const now = iso(env)
  await enqueue(env.database.root, {
    ...{ node: nodeOf(env), image_id, state: 'queued', blob: null, size: 0, hits: 0 },
    ...{ last_accessed: now, last_modified: now },
  })
  env.signal(cacheReconciler)
}

/** The cached bytes of an image; undefined when there are none, and then they are cached for the next time. */
export async function fromCache(
  env: Env,
  image_id: string,
  range: { start: number; end: number } | undefined,
  signal: AbortSignal | undefined,
): Promise<Readable | undefined> {
  if (cacheSize(env) === 0) return undefined
  const where = { node: nodeOf(env), image_id }
  const row = await cached.find(env.database.root, where)
  if (!row) await queueForCache(env, image_id)
  if (!row?.blob) return undefined
  const path = join(await folder(env), row.blob)
  // It was removed by others, or the cache is in another folder now.
  if (!(await stat(path).catch(() => undefined))) {
    await cached.remove(env.database.root, { ...where, blob: row.blob })
    return undefined
  }
  const used = { hits: row.hits + 1, last_accessed: iso(env) }
  await cached.update(env.database.root, where, used)
  return readBlob(path, range, signal)
}

/** Copies the bytes of a queued image. */
export async function fillCache(ctx: Ctx, row: CachedRow, open: (id: string) => Promise<Readable>): Promise<void> {
  const image = await images.find(ctx.db, { id: row.image_id })
  const where = { node: nodeOf(ctx), image_id: row.image_id }
  if (image?.status !== 'active') return void (await cached.remove(ctx.db, where))
  const blob = `${image.id}.${ctx.ids.hex().slice(0, 8)}`
  const path = join(await folder(ctx), blob)
  const bytes = await open(image.id)
  try {
    const { size, sha512 } = await writePart(path, [bytes], { maxBytes: cacheSize(ctx) })
    if (image.os_hash_algo === 'sha512' && image.os_hash_value !== null && image.os_hash_value !== sha512)
      throw new Error(`the bytes of image ${image.id} are not those that were registered`)
    await keepPart(await folder(ctx), path)
    const found = await cached.update(ctx.db, where, { state: 'cached', blob, size, last_modified: iso(ctx) })
    if (found === 0) await removeBlob(path)
  } catch (error) {
    ctx.log.warn({ err: error, image: image.id }, 'an image could not be cached')
    await removeBlob(`${path}.part`)
    await removeBlob(path)
    await cached.remove(ctx.db, where)
  } finally {
    bytes.destroy()
  }
}

/** Forgets images. Their files go with the next cleaning. */
export async function forget(ctx: Ctx, where: { image_id?: string; state?: string }): Promise<number> {
  const node = nodeOf(ctx)
  const gone = await cached.list(ctx.db, { node, ...where })
  for (const { image_id, blob } of gone) {
    await cached.remove(ctx.db, { node, image_id })
    if (blob !== null) await removeBlob(join(await folder(ctx), blob))
  }
  return gone.length
}

/** Forgets the images that were not used for longest until the rest fits. */
export async function prune(ctx: Ctx): Promise<{ files: number; bytes: number }> {
  const all = await cached.list(
    ctx.db,
    { node: nodeOf(ctx), state: 'cached' },
    { orderBy: [{ column: 'last_accessed', direction: 'asc' }] },
  )
  let over = all.reduce((sum, row) => sum + Number(row.size), 0) - cacheSize(ctx)
  const done = { files: 0, bytes: 0 }
  for (const row of all) {
    if (over <= 0) break
    await forget(ctx, { image_id: row.image_id })
    over -= Number(row.size)
    done.files++
    done.bytes += Number(row.size)
  }
  return done
}

/** Removes rows of images that are gone, and files of no row that nobody writes any more. */
export async function clean(ctx: Ctx): Promise<void> {
  const rows = await cached.list(ctx.db, { node: nodeOf(ctx) })
  for (const row of rows)
    if ((await images.count(ctx.db, { id: row.image_id, status: ['active', 'deactivated'] })) === 0)
      await forget(ctx, { image_id: row.image_id })
  const known = new Set(rows.map(row => row.blob))
  const path = await folder(ctx)
  const before = ctx.clock.now() - ctx.config.of(imageConfig).stale_upload_seconds * 1000
  for (const { name, modified } of await listBlobs(path))
    if (!known.has(name) && modified < before) await removeBlob(join(path, name))
}
