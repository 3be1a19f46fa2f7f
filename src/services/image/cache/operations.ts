/** The cache as administrators see it: list, queue, forget, clean, prune. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { visibleImage } from '../images/image.ts'
import { cacheClean, cacheDelete, cacheImage, cacheList, cachePrune, listCachedNodes } from '../rules.ts'
import { cacheSize, clean, forget, nodeOf, prune, queueForCache } from './cache.ts'
import { cached } from './store.ts'

function needCache(ctx: Ctx): void {
  if (cacheSize(ctx) === 0) throw new NotFound('Caching via API is not supported at this site.')
}

const knownImage = (ctx: Ctx, id: string) =>
  visibleImage(ctx, id).catch(cause => {
    throw new NotFound(`Image ${id} not found.`, { cause })
  })

const seconds = (iso: string) => Date.parse(iso) / 1000

export const showCache = operation({
  id: 'image.cache.list',
  method: 'GET',
  path: '/v2/cache',
  summary: 'List the images that are cached or queued for it',
  policy: cacheList,
  response: Type.Object({
    cached_images: Type.Array(
      Type.Object({
        image_id: Type.String(),
        hits: Type.Integer(),
        last_accessed: Type.Number(),
        last_modified: Type.Number(),
        size: Type.Integer(),
      }),
    ),
    queued_images: Type.Array(Type.String()),
  }),
  async handle(ctx) {
    needCache(ctx)
    const rows = await cached.list(
      ctx.db,
      { node: nodeOf(ctx) },
      { orderBy: [{ column: 'last_modified', direction: 'asc' }] },
    )
    return {
      cached_images: rows
        .filter(row => row.state === 'cached')
        .map(({ image_id, hits, size, last_accessed, last_modified }) => ({
          ...{ image_id, hits, size: Number(size) },
          ...{ last_accessed: seconds(last_accessed), last_modified: seconds(last_modified) },
        })),
      queued_images: rows.filter(row => row.state === 'queued').map(row => row.image_id),
    }
  },
})

export const queueImage = operation({
  id: 'image.cache.queue',
  method: 'PUT',
  path: '/v2/cache/{image_id}',
  summary: 'Have an image cached',
  policy: cacheImage,
  takes: 'nothing',
  load: (ctx, { params }) => knownImage(ctx, params.image_id),
  async handle(ctx, { target }) {
    needCache(ctx)
    if (target.status !== 'active') throw new BadRequest('Only images with status active can be targeted for queueing')
    await queueForCache(ctx, target.id)
    return reply(undefined, { status: 202 })
  },
})

export const removeCached = operation({
  id: 'image.cache.delete',
  method: 'DELETE',
  path: '/v2/cache/{image_id}',
  summary: 'Take an image out of the cache or its queue',
  policy: cacheDelete,
  async handle(ctx, { params: { image_id } }) {
    needCache(ctx)
    // An image that is gone may still be cached.
    if ((await forget(ctx, { image_id })) === 0) await knownImage(ctx, image_id)
    return undefined
  },
})

const states: Record<string, { state?: string }> = { '': {}, cache: { state: 'cached' }, queue: { state: 'queued' } }

export const clearCache = operation({
  id: 'image.cache.clear',
  method: 'DELETE',
  path: '/v2/cache',
  summary: 'Empty the cache, its queue or both',
  policy: cacheDelete,
  async handle(ctx, { headers }) {
    needCache(ctx)
    const target = (headers['x-image-cache-clear-target'] ?? '').toLowerCase()
    if (!Object.hasOwn(states, target))
      throw new BadRequest("If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.")
    await forget(ctx, states[target]!)
    return undefined
  },
})

export const cleanCache = operation({
  id: 'image.cache.clean',
  method: 'POST',
  path: '/v2/cache/clean',
  summary: 'Remove what is left in the cache of images that are gone',
  policy: cacheClean,
  takes: 'nothing',
  async handle(ctx) {
    needCache(ctx)
    await clean(ctx)
    return reply(undefined, { status: 200 })
  },
})

export const pruneCache = operation({
  id: 'image.cache.prune',
  method: 'POST',
  path: '/v2/cache/prune',
  summary: 'Make the cache as small as it should be',
  policy: cachePrune,
  takes: 'nothing',
  response: Type.Object({ total_files_pruned: Type.Integer(), total_bytes_pruned: Type.Integer() }),
  async handle(ctx) {
    needCache(ctx)
    const { files, bytes } = await prune(ctx)
    return { total_files_pruned: files, total_bytes_pruned: bytes }
  },
})

export const showCachedNodes = operation({
  id: 'image.cache.nodes',
  method: 'GET',
  path: '/v2/cache/nodes/{image_id}',
  summary: 'List the nodes that have an image cached',
  policy: listCachedNodes,
  response: Type.Array(Type.String()),
  load: (ctx, { params }) => knownImage(ctx, params.image_id),
  async handle(ctx, { target }) {
    needCache(ctx)
    const rows = await cached.list(ctx.db, { image_id: target.id, state: 'cached' })
    return rows.map(row => row.node)
  },
})
