/** Images in compute's API, up to 2.35, and their metadata, up to 2.38: they are the image service's. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Fault, NotFound, OverQuota } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import type { ImageInfo } from '../../image/contract.ts'
import { body, linksSchema, metadata, pageQuery, paging } from '../dialect.ts'
import { quotaLimits, within } from '../quotas/quota.ts'
import { detailView, imageDetail, imageSummary, summaryView } from './image-proxy.ts'

const versions = { max: '2.35' } as const
const metadataVersions = { max: '2.38' } as const
const path = '/v2.1/images'

/** Names of filters here and there. */
const filterNames: Record<string, string> = {
  name: 'name',
  status: 'status',
  server: 'instance_uuid',
  type: 'image_type',
  minRam: 'min_ram',
  minDisk: 'min_disk',
}

function filtersOf(query: Record<string, unknown>): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(query)) {
    const text = String([value].flat().at(-1))
    if (name === 'changes-since') found.updated_at = `gte:${text}`
    else if (name.startsWith('property-')) found[name.slice('property-'.length)] = text
    else if (name === 'status') found.status = text.toLowerCase()
    // A server may be named by its link.
    else if (name === 'server') found.instance_uuid = text.split('/').at(-1)!
    else if (Object.hasOwn(filterNames, name)) found[filterNames[name]!] = text
  }
  return found
}

const listQuery = Type.Object({ ...pageQuery }, { additionalProperties: Type.Unknown() })

async function pageOf(ctx: Ctx, query: Static<typeof listQuery>, url: string) {
  const { limit, marker } = query
  const page = paging(ctx, limit)
  const images = await ctx.services.image.computeApi.listImages(ctx, filtersOf(query), { limit: page.limit, marker })
  return { images, links: page.links('images_links', url, images.length, images.at(-1)?.id) }
}

async function imageOf(ctx: Ctx, id: string): Promise<ImageInfo> {
  return asNotFound(() => ctx.services.image.get(ctx, id))
}

async function asNotFound<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Fault && error.status === 404) throw new NotFound('Image not found.', { cause: error })
    throw error
  }
}

const imageOperations = [
  operation({
    id: 'compute.images.list',
    method: 'GET',
    path,
    summary: 'List images',
    versions,
    policy: 'authenticated',
    query: listQuery,
    response: Type.Object({ images: Type.Array(imageSummary), images_links: Type.Optional(linksSchema) }),
    async handle(ctx, { query, url }) {
      const { images, links } = await pageOf(ctx, query, url)
      return { images: images.map(image => summaryView(ctx, image)), ...links }
    },
  }),
  operation({
    id: 'compute.images.detail',
    method: 'GET',
    path: `${path}/detail`,
    summary: 'List images with details',
    versions,
    policy: 'authenticated',
    query: listQuery,
    response: Type.Object({ images: Type.Array(imageDetail), images_links: Type.Optional(linksSchema) }),
    async handle(ctx, { query, url }) {
      const { images, links } = await pageOf(ctx, query, url)
      return { images: images.map(image => detailView(ctx, image)), ...links }
    },
  }),
  operation({
    id: 'compute.images.show',
    method: 'GET',
    path: `${path}/{image_id}`,
    summary: 'Show an image',
    versions,
    policy: 'authenticated',
    response: body('image', imageDetail),
    handle: async (ctx, { params }) => ({ image: detailView(ctx, await imageOf(ctx, params.image_id)) }),
  }),
  operation({
    id: 'compute.images.delete',
    method: 'DELETE',
    path: `${path}/{image_id}`,
    summary: 'Delete an image',
    versions,
    policy: 'authenticated',
    async handle(ctx, { params }) {
      await asNotFound(() => ctx.services.image.computeApi.deleteImageOf(ctx, params.image_id))
      return undefined
    },
  }),
]

const values = metadata(Type.String({ maxLength: 255 }))
const all = body('metadata', values)
const one = body('meta', Type.Unsafe<Record<string, string>>({ ...values, minProperties: 1, maxProperties: 1 }))
const shownAll = body('metadata', Type.Record(Type.String(), Type.String()))
const shownOne = body('meta', Type.Record(Type.String(), Type.String()))

/** Changes an image's properties, of which a project may have as many as metadata of a server. */
async function edit(ctx: Ctx, id: string, change: (properties: Record<string, string>) => Record<string, string>) {
  const limit = (await quotaLimits(ctx, ctx.identity.project_id ?? '')).metadata_items
  return asNotFound(() =>
    ctx.services.image.computeApi.editProperties(ctx, id, before => {
      const after = change(before)
      if (!within(limit, Object.keys(after).length, 0)) throw new OverQuota('Image metadata limit exceeded')
      return after
    }),
  )
}

const metadataOperations = [
  operation({
    id: 'compute.image_metadata.list',
    method: 'GET',
    path: `${path}/{image_id}/metadata`,
    summary: "List an image's metadata",
    versions: metadataVersions,
    policy: 'authenticated',
    response: shownAll,
    handle: async (ctx, { params }) => ({ metadata: (await imageOf(ctx, params.image_id)).properties }),
  }),
  operation({
    id: 'compute.image_metadata.merge',
    method: 'POST',
    path: `${path}/{image_id}/metadata`,
    summary: 'Add to the metadata of an image',
    versions: metadataVersions,
    policy: 'authenticated',
    request: all,
    response: shownAll,
    handle: async (ctx, { params, body: asked }) => ({
      metadata: await edit(ctx, params.image_id, before => ({ ...before, ...asked.metadata })),
    }),
  }),
  operation({
    id: 'compute.image_metadata.replace',
    method: 'PUT',
    path: `${path}/{image_id}/metadata`,
    summary: 'Replace the metadata of an image',
    versions: metadataVersions,
    policy: 'authenticated',
    request: all,
    response: shownAll,
    handle: async (ctx, { params, body: asked }) => ({
      metadata: await edit(ctx, params.image_id, () => asked.metadata),
    }),
  }),
  operation({
    id: 'compute.image_metadata.show',
    method: 'GET',
    path: `${path}/{image_id}/metadata/{key}`,
    summary: 'Show one item of metadata of an image',
    versions: metadataVersions,
    policy: 'authenticated',
    response: shownOne,
    async handle(ctx, { params: { image_id, key } }) {
      const { properties } = await imageOf(ctx, image_id)
      if (!Object.hasOwn(properties, key)) throw new NotFound()
      return { meta: { [key]: properties[key]! } }
    },
  }),
  operation({
    id: 'compute.image_metadata.update',
    method: 'PUT',
    path: `${path}/{image_id}/metadata/{key}`,
    summary: 'Set one item of metadata of an image',
    versions: metadataVersions,
    policy: 'authenticated',
    request: one,
    response: shownOne,
    async handle(ctx, { params: { image_id, key }, body: { meta } }) {
      if (!Object.hasOwn(meta, key)) throw new BadRequest('Request body and URI mismatch')
      await edit(ctx, image_id, before => ({ ...before, ...meta }))
      return { meta }
    },
  }),
  operation({
    id: 'compute.image_metadata.delete',
    method: 'DELETE',
    path: `${path}/{image_id}/metadata/{key}`,
    summary: 'Remove one item of metadata of an image',
    versions: metadataVersions,
    policy: 'authenticated',
    async handle(ctx, { params: { image_id, key } }) {
      let known = true
      await edit(ctx, image_id, ({ [key]: gone, ...rest }) => {
        known = gone !== undefined
        return rest
      })
      if (!known) throw new NotFound('Invalid metadata key')
      return undefined
    },
  }),
]

export const imageProxyOperations: Operation[] = [...imageOperations, ...metadataOperations]
