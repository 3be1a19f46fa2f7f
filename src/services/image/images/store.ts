/** Rows of images, their properties and tags. */
import { type Expression, type SqlBool, sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { type AnyBuilder, rows } from '#kernel/db/rows.ts'
import { addWhere, matching, run, statement } from '#kernel/db/statement.ts'
import type { Comparison, Filters, Order } from './filters.ts'

export interface ImageRow {
  id: string
  name: string | null
  /** queued, saving, uploading, importing, active, deactivated */
  status: string
  visibility: string
  owner: string | null
  disk_format: string | null
  container_format: string | null
  /** In GB. */
  min_disk: number
  /** In MB. */
  min_ram: number
  protected: boolean
  os_hidden: boolean
  checksum: string | null
  os_hash_algo: string | null
  os_hash_value: string | null
  size: number | null
  virtual_size: number | null
  /** What the bytes turned out to be, whatever they are declared to be; null where nobody has looked. */
  found_format: string | null
  /** Why no hypervisor may have them. */
  unsafe: string | null
  /** The image that the bytes are the changes to; null when they are a whole disk. */
  base_image_id: string | null
  /** The name of the file that holds the bytes; while `saving`, of the one that the upload writes. */
  blob: string | null
  /** When the upload or import under way was last known to go on; null when none is. */
  alive_at: string | null
  created_at: string
  updated_at: string
}

export interface PropertyRow {
  image_id: string
  name: string
  value: string
}

export interface TagRow {
  image_id: string
  tag: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    image_images: ImageRow
    image_custom_properties: PropertyRow
    image_tags: TagRow
  }
}

export const images = rows<ImageRow>('image_images', { bool: ['protected', 'os_hidden'] })
export const properties = rows<PropertyRow>('image_custom_properties')
export const tags = rows<TagRow>('image_tags')

/** Tags (without a value) and properties of images, by name, in one statement. */
export async function hungOn(
  db: Db,
  ids: string[],
): Promise<(Omit<PropertyRow, 'value'> & { value: string | null })[]> {
  const s = statement(db, 'select image_id, tag as name, null as value from image_tags')
  addWhere(s, matching(s, { image_id: ids }))
  s.text += ' union all select image_id, name, value from image_custom_properties'
  addWhere(s, matching(s, { image_id: ids }))
  s.text += ' order by 2'
  return (await run<PropertyRow>(db, s)).rows
}

/** The columns about its bytes of an image that has none. */
export const noBytes = {
  blob: null,
  base_image_id: null,
  size: null,
  virtual_size: null,
  found_format: null,
  unsafe: null,
  checksum: null,
  os_hash_algo: null,
  os_hash_value: null,
}

/** What a project has: images, their bytes in stores, bytes that are staged for import, and uploads and imports under way. */
export interface Usage {
  images: number
  bytes: number
  staged_bytes: number
  uploads: number
}

/** How much a byte in a store counts, by the store's id; 1 where it is not said. */
export type StoreWeights = Readonly<Record<string, number>>

/** Bytes count once for each store that holds them. */
export async function usageOf(db: Db, owners: readonly string[], weights: StoreWeights): Promise<Usage> {
  const cases = Object.entries(weights).map(([store, weight]) => sql`when ${store} then ${sql.lit(weight)}`)
  const each = cases.length === 0 ? sql`1` : sql`case image_locations.store ${sql.join(cases, sql` `)} else 1 end`
  const copies = sql`(select coalesce(sum(${each}), 0) from image_locations where image_locations.image_id = image_images.id)`
  const copying = sql`exists (select 1 from image_custom_properties where image_custom_properties.image_id = image_images.id
    and image_custom_properties.name = 'os_glance_importing_to_stores' and image_custom_properties.value <> '')`
  const staged = sql`(status in ('uploading', 'importing') or ${copying})`
  const under_way = sql`(status in ('saving', 'uploading', 'importing') or ${copying})`
  const row = await db
    .selectFrom('image_images')
    .select(eb => [
      eb.fn.countAll<number>().as('images'),
      sql<number>`coalesce(sum(size * ${copies}), 0)`.as('bytes'),
      sql<number>`coalesce(sum(case when ${staged} then size end), 0)`.as('staged_bytes'),
      sql<number>`coalesce(sum(case when ${under_way} then 1 end), 0)`.as('uploads'),
    ])
    .where('owner', 'in', [...owners])
    .executeTakeFirstOrThrow()
  return {
    ...{ images: Number(row.images), bytes: Number(row.bytes) },
    ...{ staged_bytes: Number(row.staged_bytes), uploads: Number(row.uploads) },
  }
}

/** Adds a tag; false when the image has it. */
export async function addTag(db: Db, image_id: string, tag: string): Promise<boolean> {
  const added = await db
    .insertInto('image_tags')
    .values({ image_id, tag })
    .onConflict(c => c.doNothing())
    .executeTakeFirst()
  return Number(added.numInsertedOrUpdatedRows) > 0
}

export interface Selection extends Filters {
  project: string | undefined
  seesAll: boolean
  order: Order
  limit: number
  after: ImageRow | undefined
}

/** A page of the images that a project may see. */
export function selectImages(db: Db, selection: Selection): Promise<ImageRow[]> {
  const { order, limit, after } = selection
  if (limit === 0) return Promise.resolve([])
  return images.list(
    db,
    {},
    {
      orderBy: order,
      limit,
      ...(after && { after }),
      also: eb =>
        eb.and([
          ...selection.comparisons.map(one => compared(eb, one)),
          ...selection.tags.map(tag => hung(eb, 'image_tags', { tag })),
          ...Object.entries(selection.properties).map(([name, value]) =>
            hung(eb, 'image_custom_properties', { name, value }),
          ),
          ...asked(eb, selection),
          ...(selection.seesAll ? [] : [seen(eb, selection)]),
        ]),
    },
  )
}

function compared(eb: AnyBuilder, { column, op, value }: Comparison): Expression<SqlBool> {
  if (op === 'in' && Array.isArray(value) && value.length === 0) return sql<SqlBool>`1 = 0`
  return eb(column, op, typeof value === 'boolean' ? Number(value) : value)
}

/** Whether a row of another table that belongs to the image has these values. */
function hung(eb: AnyBuilder, table: string, values: Record<string, string>): Expression<SqlBool> {
  return eb.exists(
    eb
      .selectFrom(table)
      .select('image_id')
      .whereRef(`${table}.image_id`, '=', 'image_images.id')
      .where(inner => inner.and(Object.entries(values).map(([name, value]) => inner(`${table}.${name}`, '=', value)))),
  )
}

/** By the visibility asked for. Without one, what others offer to the community is left out. */
function asked(eb: AnyBuilder, { visibility, project }: Selection): Expression<SqlBool>[] {
  if (visibility === 'all') return []
  if (visibility !== undefined) return [eb('visibility', '=', visibility)]
  const offered = eb('visibility', '!=', 'community')
  return [project === undefined ? offered : eb.or([offered, eb('owner', '=', project)])]
}

/** What a project sees: its own, the public's, and what is shared with it. */
function seen(eb: AnyBuilder, { project, memberStatus }: Selection): Expression<SqlBool> {
  const open = eb('visibility', 'in', ['public', 'community'])
  if (project === undefined) return open
  const shared = hung(eb, 'image_members', {
    member_id: project,
    ...(memberStatus !== 'all' && { status: memberStatus }),
  })
  return eb.or([open, eb('owner', '=', project), eb.and([eb('visibility', '=', 'shared'), shared])])
}
