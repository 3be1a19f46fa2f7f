/** The image service's contract, kept: what the other services call. */
import { createReadStream } from 'node:fs'
import type { Ctx, Env } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { Conflict } from '#kernel/errors.ts'
import { bytesOf, type Held, storedBytes } from './blobs/download.ts'
import { inspectBlob, newBlob, type Stored, storing, told, upload } from './blobs/upload.ts'
import * as computeApi from './compute-proxies.ts'
import { imageConfig } from './config.ts'
import type { ImageContract, ImageFile, ImageInfo } from './contract.ts'
import type { Contents } from './formats/format.ts'
import { basesOf, isBase } from './images/bases.ts'
import { checkVisibility, insertImage, newImage } from './images/create.ts'
import { complete, findImage, infoOf, noImage, visibleImage } from './images/image.ts'
import { destroyImage } from './images/steps.ts'
import { images, properties } from './images/store.ts'
import { addLocation, locationsOf, removeFile } from './locations/location.ts'
import { storesOf } from './stores.ts'

const oldest = [
  { column: 'created_at', direction: 'asc' },
  { column: 'id', direction: 'asc' },
] as const

export const imageContract: ImageContract = {
  computeApi,
  get: async (ctx, id) => infoOf(await visibleImage(ctx, id)),
  async many(ctx, ids) {
    const found = new Map<string, ImageInfo>()
    for (const id of new Set(ids)) {
      const image = await visibleImage(ctx, id).catch(() => undefined)
      if (image) found.set(id, infoOf(image))
    }
    return found
  },
  open: async (env, id, signal) => bytesOf(env, await held(env, id), undefined, signal),
  openFromStore: async (env, id) => storedBytes(env, await held(env, id)),
  async withProperties(ctx, wanted) {
    const [[name, value] = ['', ''], ...rest] = Object.entries(wanted)
    const ids = (await properties.list(ctx.db, { name, value })).map(row => row.image_id)
    const owner = ctx.identity.project_id ?? null
    const newest = [
      { column: 'created_at', direction: 'desc' },
      { column: 'id', direction: 'desc' },
    ] as const
    const found = await complete(ctx, await images.list(ctx.db, { id: ids, owner }, { orderBy: [...newest] }))
    return found.map(infoOf).filter(image => rest.every(([key, text]) => image.properties[key] === text))
  },
  async create(ctx, image) {
    const made = newImage(ctx, { ...image, properties: image.properties ?? {} })
    checkVisibility(ctx, made)
    await insertImage(ctx, made)
    return infoOf(made)
  },
  async upload(ctx, id, bytes, base) {
    try {
      const [image] = await complete(ctx, [await upload(ctx, id, { bytes, base, silent: true })])
      return infoOf(image!)
    } finally {
      bytes.destroy()
    }
  },
  async remove(ctx, id) {
    const image = await findImage(ctx, id)
    if (image) await destroyImage(ctx, image)
  },
  basesOf: async (ctx, image) => (await basesOf(ctx, image)).map(infoOf),
  findPublic,
  ensureFromFile,
}

/** An active image with where its bytes are. One that is deactivated is no disk for anybody, but what stands on it still is. */
async function held(env: Env, id: string): Promise<Held> {
  const db = env.database.root
  const row = await images.find(db, { id })
  if (!row) throw noImage(id)
  const locations = (await locationsOf(db, [id])).get(id) ?? []
  const isGiven = row.status === 'active' || (row.status === 'deactivated' && (await isBase({ db }, id)))
  if (!isGiven || locations.length === 0) throw new Conflict(`Image ${id} is not active.`)
  return { ...row, locations }
}

async function findPublic(ctx: Ctx, name: string): Promise<ImageInfo | undefined> {
  const found = await images.list(
    ctx.db,
    { name, visibility: 'public', status: 'active' },
    { orderBy: [...oldest], limit: 1 },
  )
  const [image] = await complete(ctx, found)
  return image && infoOf(image)
}

/** Unlike an upload, the row appears only with its bytes: who crashes half-way leaves a file, which the reconciler removes. */
async function ensureFromFile(ctx: Ctx, { path, ...file }: ImageFile): Promise<ImageInfo> {
  const known = await findPublic(ctx, file.name)
  if (known) return known
  const image = newImage(ctx, { container_format: 'bare', properties: {}, ...file, visibility: 'public' })
  const declared = { disk_format: image.disk_format!, container_format: image.container_format! }
  const blob = newBlob(ctx, image.id)
  const store = storesOf(ctx).main.id
  const commit = (stored: Stored, contents: Contents) =>
    ctx.transaction(async tx => {
      await lock(tx.db, tx.database.engine, `image/public/${file.name}`)
      const other = await findPublic(tx, file.name)
      if (other) return { info: other, used: false }
      const whole = { ...image, ...stored, ...contents, status: 'active' }
      await insertImage(tx, whole)
      await addLocation(tx, whole.id, store)
      return { info: infoOf(whole), used: true }
    })
  const check = (_stored: Stored, storedAt: string) => inspectBlob(ctx, storedAt, declared)
  const room = ctx.config.of(imageConfig).max_size_bytes
  const made = await storing(ctx, { blob, store, room }, [createReadStream(path)], { check, commit }).catch(error => {
    throw told(error, file.name)
  })
  if (!made.used) await removeFile(ctx, blob, store)
  return made.info
}
