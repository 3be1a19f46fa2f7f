/** Registers an image. Its bytes come later. */
import type { Ctx } from '#kernel/context.ts'
import { archivedBefore } from '#kernel/db/archive.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Conflict, Forbidden } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import { imageConfig } from '../config.ts'
import { tellImage } from '../events.ts'
import { checkLimit as checkQuota } from '../quota.ts'
import { addImage, communitizeImage, publicizeImage } from '../rules.ts'
import { storesOf } from '../stores.ts'
import { imageAnswer, neverOnCreate, readOnly, reserved, settable } from './attributes.ts'
import { type Image, view, writeDetails } from './image.ts'
import { imageBody, imageSchemaOf } from './properties.ts'
import { images } from './store.ts'

type Body = Record<string, unknown>

/** The body of a request as an image of the caller. Throws for what may not be said. */
export function imageFrom(ctx: Ctx, body: Body): Image {
  const forbidden = neverOnCreate.find(name => name in body)
  if (forbidden) throw new Forbidden(`Attribute '${forbidden}' is read-only.`)
  const problem = problemOf(imageSchemaOf(ctx).whole, body)
  if (problem) {
    const about = problem.field && ` for property ${problem.field}`
    throw new BadRequest(`Provided object does not match schema 'image': ${problem.message}${about}`)
  }
  const properties: Record<string, string> = {}
  for (const [name, value] of Object.entries(body)) {
    if (settable.has(name) || readOnly.has(name) || name === 'locations') continue
    if (reserved(name)) throw new Forbidden(`Attribute '${name}' is reserved.`)
    if (name.length > 255) throw new BadRequest('Custom property should not be greater than 255 characters.')
    properties[name] = value as string
  }
  return newImage(ctx, { ...(body as Partial<Image>), properties })
}

type Given = Pick<Image, 'properties'> & Partial<Image>

/** A queued image of the caller, with the attributes that are given. */
export function newImage(ctx: Ctx, given: Given): Image {
  const now = new Date(ctx.clock.now()).toISOString()
  return {
    id: given.id?.toLowerCase() ?? ctx.ids.uuid(),
    name: given.name ?? null,
    status: 'queued',
    visibility: given.visibility ?? 'shared',
    owner: given.owner === undefined ? (ctx.identity.project_id ?? null) : given.owner,
    disk_format: given.disk_format ?? null,
    container_format: given.container_format ?? null,
    min_disk: given.min_disk ?? 0,
    min_ram: given.min_ram ?? 0,
    protected: given.protected ?? false,
    os_hidden: given.os_hidden ?? false,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    size: null,
    virtual_size: null,
    found_format: null,
    unsafe: null,
    base_image_id: null,
    blob: null,
    alive_at: null,
    created_at: now,
    updated_at: now,
    tags: [...new Set(given.tags ?? [])].sort(),
    properties: given.properties,
    locations: [],
  }
}

/** Throws 403 for a visibility that the caller may not give. */
export function checkVisibility(ctx: Ctx, image: Pick<Image, 'owner' | 'visibility'>): void {
  const target = { ...image, project_id: image.owner }
  if (image.visibility === 'public') ctx.enforce(publicizeImage, target)
  if (image.visibility === 'community') ctx.enforce(communitizeImage, target)
}

/** Writes a new image, within the owner's quota, and tells of it. */
export async function insertImage(ctx: Ctx, image: Image): Promise<void> {
  const { tags: _, properties: __, locations: ___, ...row } = image
  await ctx.transaction(async tx => {
    if (await archivedBefore(tx, images.table, row.id)) throw taken(row.id)
    await checkQuota(tx, row.owner, 'image_count_total', 1)
    try {
      await images.insert(tx.db, row)
    } catch (error) {
      throw error instanceof UniqueViolation ? taken(row.id) : error
    }
    await writeDetails(tx, image)
    await tellImage(tx, 'create', image)
  })
}

const taken = (id: string) => new Conflict(`Image ID ${id} already exists!`)

export const createImage = operation({
  id: 'image.images.create',
  method: 'POST',
  path: '/v2/images',
  summary: 'Create an image',
  // Who may create depends on the owner that the body names, so the handler asks.
  policy: 'authenticated',
  takes: imageBody,
  response: imageAnswer,
  async handle(ctx, { body }) {
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      throw new BadRequest('Body expected in request.')
    const image = imageFrom(ctx, body as Body)
    if (image.owner !== (ctx.identity.project_id ?? null) && !ctx.identity.roles.includes('admin'))
      throw new Forbidden(`You are not permitted to create images owned by '${image.owner}'.`)
    ctx.enforce(addImage, { ...image, project_id: image.owner })
    checkVisibility(ctx, image)
    await insertImage(ctx, image)
    return reply(view(ctx, image), {
      status: 201,
      headers: {
        location: `${ctx.base}/image/v2/images/${image.id}`,
        'openstack-image-import-methods': ctx.config.of(imageConfig).import_methods.join(','),
        'openstack-image-store-ids': storesOf(ctx)
          .list.map(store => store.id)
          .join(','),
      },
    })
  },
})
