/** An image: what it is, who may see it, how it is shown. */
import { isoSeconds } from '#kernel/clock.ts'
import type { Ctx, Env } from '#kernel/context.ts'
import { NotFound, OverQuota } from '#kernel/errors.ts'
import { imageConfig } from '../config.ts'
import type { ImageInfo } from '../contract.ts'
import { byWeight, type LocationRow, locationsOf, urlOf, viewLocation } from '../locations/location.ts'
import { members } from '../members/store.ts'
import { baseAttribute } from './attributes.ts'
import { hungOn, type ImageRow, images, properties, tags } from './store.ts'

/** An image with what hangs on it. */
export interface Image extends ImageRow {
  tags: string[]
  properties: Record<string, string>
  locations: LocationRow[]
}

/** An image as policy sees it. */
interface Seen {
  project_id: string | null
  /** The caller's project when the image is shared with it. */
  member_id: string | null
  [extra: string]: unknown
}
export type RowTarget = ImageRow & Seen
export type ImageTarget = Image & Seen

export const maxProperties = 128
export const maxTags = 128

export const noImage = (id: string) => new NotFound(`No image found with ID ${id}`)

/** Rows with their tags and properties, in the same order. */
export async function complete(ctx: Ctx, rows: ImageRow[]): Promise<Image[]> {
  if (rows.length === 0) return []
  const ids = rows.map(row => row.id)
  const hungOf = Map.groupBy(await hungOn(ctx.db, ids), row => row.image_id)
  const placesOf = await locationsOf(ctx.db, ids)
  return rows.map(row => {
    const hung = hungOf.get(row.id) ?? []
    return {
      ...row,
      tags: hung.flatMap(({ name, value }) => (value === null ? name : [])),
      properties: Object.fromEntries(hung.flatMap(({ name, value }) => (value === null ? [] : [[name, value]]))),
      locations: placesOf.get(row.id) ?? [],
    }
  })
}

export const seesAll = (ctx: Ctx) => ctx.identity.is_admin === true || ctx.identity.roles.includes('admin')

/** An image that the caller may see, without what hangs on it. To anyone else it does not exist. */
export async function visibleRow(ctx: Ctx, id: string): Promise<RowTarget> {
  const row = await images.find(ctx.db, { id })
  if (!row) throw noImage(id)
  const project = ctx.identity.project_id
  const shared =
    row.visibility === 'shared' && project !== undefined && row.owner !== project
      ? await members.find(ctx.db, { image_id: id, member_id: project })
      : undefined
  const open = row.visibility === 'public' || row.visibility === 'community'
  if (!open && !shared && !seesAll(ctx) && (row.owner === null || row.owner !== project)) throw noImage(id)
  return { ...row, project_id: row.owner, member_id: shared ? shared.member_id : null }
}

/** The same, whole. */
export async function visibleImage(ctx: Ctx, id: string): Promise<ImageTarget> {
  const row = await visibleRow(ctx, id)
  const [image] = await complete(ctx, [row])
  return { ...row, ...image! }
}

export function infoOf(image: Image): ImageInfo {
  return {
    id: image.id,
    name: image.name,
    status: image.status,
    owner: image.owner,
    disk_format: image.disk_format,
    container_format: image.container_format,
    size: image.size,
    virtual_size: image.virtual_size,
    base_image_id: image.base_image_id,
    unacceptable: unacceptable(image),
    min_disk: image.min_disk,
    min_ram: image.min_ram,
    os_hash_algo: image.os_hash_algo,
    os_hash_value: image.os_hash_value,
    created_at: shownTime(image.created_at),
    updated_at: shownTime(image.updated_at),
    visibility: image.visibility,
    tags: image.tags,
    // How an import goes on is nothing that others copy.
    properties: Object.fromEntries(Object.entries(image.properties).filter(([name]) => !name.startsWith('os_glance'))),
  }
}

/** Formats that hosts convert first, by a program that opens what a header names: somebody must have looked at it. Nobody looks into containers. */
const converted = ['vmdk', 'vdi', 'vhd', 'vhdx']
const isLookedAt = ({ container_format, found_format, virtual_size }: ImageRow) =>
  container_format === 'bare' && found_format !== null && virtual_size !== null
const plain = ['raw', 'gpt']

/** What keeps servers from being made of an image whose bytes are not what it is declared to be, in Nova's words. */
function unacceptable(row: ImageRow): string | null {
  const { disk_format, container_format, found_format, unsafe } = row
  if (unsafe !== null) return `Image does not pass safety check: ${unsafe}`
  if (disk_format === null) return null
  if (converted.includes(disk_format) && !isLookedAt(row)) return 'Image content has not been checked'
  if (container_format !== 'bare' || found_format === null) return null
  const declared = plain.includes(disk_format) ? plain : [disk_format]
  return declared.includes(found_format) ? null : 'Image content does not match disk_format'
}

/** Whether its bytes may be read. While they come, the row names them already. */
export const hasBytes = ({ status }: ImageRow) => status === 'active' || status === 'deactivated'

export const shownTime = (iso: string) => isoSeconds(Date.parse(iso))

/** The image as the API shows it: its own properties stand among the others. */
export function view(env: Env, image: Image): Record<string, unknown> {
  const held = byWeight(env, image.locations)
  const stores = held.map(location => location.store)
  const { show_locations, show_direct_url } = env.config.of(imageConfig)
  return {
    ...image.properties,
    name: image.name,
    disk_format: image.disk_format,
    container_format: image.container_format,
    visibility: image.visibility,
    size: image.size,
    virtual_size: image.virtual_size,
    status: image.status,
    checksum: image.checksum,
    protected: image.protected,
    min_ram: image.min_ram,
    min_disk: image.min_disk,
    owner: image.owner,
    os_hidden: image.os_hidden,
    os_hash_algo: image.os_hash_algo,
    os_hash_value: image.os_hash_value,
    id: image.id,
    created_at: shownTime(image.created_at),
    updated_at: shownTime(image.updated_at),
    tags: image.tags,
    self: `/v2/images/${image.id}`,
    file: `/v2/images/${image.id}/file`,
    schema: '/v2/schemas/image',
    ...(image.base_image_id !== null && { [baseAttribute]: image.base_image_id }),
    ...(show_locations && { locations: image.locations.map(place => viewLocation(env, image.blob, place)) }),
    ...(show_direct_url && held[0] && { direct_url: urlOf(env, image.blob, held[0]) }),
    ...(stores.length > 0 && { stores: [...new Set(stores)].join(',') }),
  }
}

/** An image by id, whoever asks. */
export async function findImage(ctx: Ctx, id: string): Promise<Image | undefined> {
  const row = await images.find(ctx.db, { id })
  return row && (await complete(ctx, [row]))[0]
}

/** Writes the properties and tags of an image as they are now. */
export async function writeDetails(ctx: Ctx, image: Pick<Image, 'id' | 'properties' | 'tags'>): Promise<void> {
  const image_id = image.id
  checkLimit('image properties', Object.keys(image.properties).length, maxProperties)
  checkLimit('image tags', image.tags.length, maxTags)
  await properties.remove(ctx.db, { image_id })
  await properties.insertMany(
    ctx.db,
    Object.entries(image.properties).map(([name, value]) => ({ image_id, name, value })),
  )
  await tags.remove(ctx.db, { image_id })
  await tags.insertMany(
    ctx.db,
    [...new Set(image.tags)].map(tag => ({ image_id, tag })),
  )
}

export function checkLimit(what: string, attempted: number, maximum: number): void {
  if (attempted > maximum)
    throw new OverQuota(
      `The limit has been exceeded on the number of allowed ${what}. Attempted: ${attempted}, Maximum: ${maximum}`,
      { status: 413 },
    )
}
