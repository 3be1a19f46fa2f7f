/** What becomes of the files in a watched folder: images; the image of one that is gone is marked until it is there again. */
import { type Ctx, perCloud } from '#kernel/context.ts'
import { messageOf, UnsupportedMediaType } from '#kernel/errors.ts'
import { sparing } from '#kernel/sparing.ts'
import { hashFile } from './blobs/hasher.ts'
import { inspectBlob } from './blobs/upload.ts'
import { tellOf } from './events.ts'
import { type Contents, formatOfFile } from './formats/format.ts'
import { diskFormats } from './images/attributes.ts'
import { insertImage, newImage } from './images/create.ts'
import { type ImageRow, images, properties } from './images/store.ts'
import { addLocation } from './locations/location.ts'
import { locations } from './locations/store.ts'
import { type WatchedRow, watched } from './watched/store.ts'
import { type About, aboutFile, disksIn, isAlike, pathOf, readFolder, urlOfFile } from './watched/watched.ts'

/** Since when the file of an image is gone. */
const missing = 'os_glance_missing_since'

const keyOf = ({ store, file }: WatchedRow) => ({ store, file })
const now = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()

/** Looks at a folder once. A file becomes an image when two looks find it the same: until then it may still be written. */
export async function look(ctx: Ctx, store: string, read = disksIn): Promise<void> {
  const { identity, files } = await readFolder(ctx, store, read)
  const known = new Map((await watched.list(ctx.db, { store })).map(row => [row.file, row]))
  if (seemsUnmounted(ctx, store, { disks: files.size, identity }, known.values())) return
  for (const row of known.values()) if (!files.has(row.file) && row.state !== 'gone') await lose(ctx, row)
  for (const [file, about] of files) {
    const row = known.get(file)
    if (!row) await watched.insert(ctx.db, { store, file, ...about, state: 'seen', image_id: null })
    else if (row.state === 'gone' || !isAlike(row, about)) await seeAnew(ctx, row, about)
    else if (row.state === 'seen') await register(ctx, row)
  }
}

const telling = perCloud(({ clock }) => sparing(clock))

/** The folder of each store that last had a disk in it. */
const lastFilled = perCloud(() => new Map<string, string>())

/** An empty folder has lost its disks only if it is the one that had them: what a share is mounted on is empty without it. */
function seemsUnmounted(
  ctx: Ctx,
  store: string,
  { disks, identity }: { disks: number; identity: string },
  known: Iterable<WatchedRow>,
): boolean {
  const filled = lastFilled(ctx)
  if (disks > 0) filled.set(store, identity)
  if (disks > 0 || filled.get(store) === identity) return false
  const kept = [...known].filter(row => row.state === 'registered').length
  const more = kept > 0 ? telling(ctx)(store) : undefined
  if (more)
    ctx.log.warn(
      { store, kept, ...more },
      'a watched folder is empty: is its share mounted? Its images stay as they are',
    )
  return kept > 0
}

/** A file that is another than before, or there again. */
const seeAnew = (ctx: Ctx, row: WatchedRow, about: About) =>
  ctx.transaction(async tx => {
    await mark(tx, row)
    await watched.update(tx.db, keyOf(row), { ...about, state: 'seen' })
  })

const lose = (ctx: Ctx, row: WatchedRow) =>
  ctx.transaction(async tx => {
    if (await mark(tx, row)) await watched.update(tx.db, keyOf(row), { state: 'gone' })
    else await watched.remove(tx.db, keyOf(row))
  })

/** Nobody reads from the image until its file is there again, unless another store has the bytes too. False when there is no image. */
async function mark(tx: Ctx, { image_id, store }: WatchedRow): Promise<boolean> {
  if (image_id === null || (await images.count(tx.db, { id: image_id })) === 0) return false
  if ((await locations.count(tx.db, { image_id, store: { op: '!=', value: store } })) > 0) return true
  const marked = { status: 'deactivated', updated_at: now(tx) }
  if ((await images.update(tx.db, { id: image_id, status: 'active' }, marked)) > 0) {
    // An administrator who has reactivated the image has left the mark.
    await properties.remove(tx.db, { image_id, name: missing })
    await properties.insert(tx.db, { image_id, name: missing, value: now(tx) })
    await tellOf(tx, image_id, 'update')
  }
  return true
}

async function register(ctx: Ctx, row: WatchedRow): Promise<void> {
  try {
    const path = await pathOf(ctx, row.store, row.file)
    const found = await inspected(ctx, path, Number(row.size))
    const about = await aboutFile(path)
    if (about && isAlike(row, about)) await ctx.transaction(tx => name(tx, row, path, found))
  } catch (error) {
    ctx.log.warn({ store: row.store, file: row.file, err: messageOf(error) }, 'a file of a watched folder is no image')
    if (error instanceof UnsupportedMediaType) await watched.update(ctx.db, keyOf(row), { state: 'refused' })
  }
}

type Found = Contents & Pick<ImageRow, 'disk_format' | 'size' | 'checksum' | 'os_hash_algo' | 'os_hash_value'>

/** Throws 415 for what is not safe to boot from. */
async function inspected(ctx: Ctx, path: string, size: number): Promise<Found> {
  const format = await formatOfFile(path)
  // Hosts take a disk with a partition table for what it is.
  const disk_format = format === 'gpt' ? 'raw' : format
  if (!diskFormats.includes(disk_format)) throw new UnsupportedMediaType(`no image can be ${format}`)
  const contents = await inspectBlob(ctx, path, { disk_format, container_format: 'bare' })
  const { md5, sha512 } = await hashFile(path, size)
  return { disk_format, size, ...contents, checksum: md5, os_hash_algo: 'sha512', os_hash_value: sha512 }
}

/** The image that the file was before, when it is the same again; else a new one. */
async function name(tx: Ctx, row: WatchedRow, path: string, found: Found): Promise<void> {
  const { image_id } = row
  const same = image_id && (await images.find(tx.db, { id: image_id, os_hash_value: found.os_hash_value }))
  if (same) await restore(tx, same.id)
  const id = same ? same.id : await make(tx, row, path, found)
  await watched.update(tx.db, keyOf(row), { state: 'registered', image_id: id })
}

async function restore(tx: Ctx, id: string): Promise<void> {
  if ((await properties.remove(tx.db, { image_id: id, name: missing })) === 0) return
  const back = { status: 'active', updated_at: now(tx) }
  if ((await images.update(tx.db, { id, status: 'deactivated' }, back)) > 0) await tellOf(tx, id, 'update')
}

async function make(tx: Ctx, { store, file }: WatchedRow, path: string, found: Found): Promise<string> {
  const about = { name: file.replace(/\.\w+$/, ''), visibility: 'public', owner: null, container_format: 'bare' }
  const image = {
    ...newImage(tx, { ...about, disk_format: found.disk_format, properties: {} }),
    ...found,
    status: 'active',
  }
  await insertImage(tx, image)
  await addLocation(tx, image.id, store, { url: urlOfFile(path) })
  return image.id
}
