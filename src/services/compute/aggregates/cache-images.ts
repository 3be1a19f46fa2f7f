/** Fetches images to the hosts of an aggregate before servers need them. */
import { UnsupportedVersion } from '#kernel/bus/methods.ts'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, messageOf } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { type SagaRun, saga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import type { ImageInfo } from '../../image/contract.ts'
import { integerId } from '../dialect.ts'
import type { ImageSpec } from '../drivers/driver.ts'
import { hostAgent } from '../host-agent.ts'
import { isUp } from '../hosts/host.ts'
import { hosts as hostRows } from '../hosts/store.ts'
import { bootFormat } from '../image-formats.ts'
import { type ProgressFacts, tellFailure } from '../resource-events.ts'
import { storedBases } from '../stored-bases.ts'
import { loadAggregate } from './steps.ts'
import { aggregateHosts, aggregates } from './store.ts'

interface Input {
  aggregate_id: number
  hosts: string[]
  /** Null for an image that no host can use. */
  images: { id: string; spec: ImageSpec | null }[]
}

type Outcome = 'cached' | 'existing' | 'error' | 'skipped' | 'unsupported'

/** So many hosts fetch at the same time; they share the way to the image service. */
const together = 10
const hostDeadlineMs = 3_600_000

export const cacheImagesSaga = saga<Input>(
  'compute.aggregates.cache_images',
  {
    revision: 1,
    deadline: 24 * 3_600_000,
    failed: (ctx, { aggregate_id }, error) =>
      tellFailure(ctx, 'compute.aggregates.cache_images', String(aggregate_id), error),
  },
  async (s, input) => {
    await s.record('begin', ctx => tellCaching(ctx, input.aggregate_id, 'start'))
    for (let first = 0; first < input.hosts.length; first += together) {
      const batch = input.hosts.slice(first, first + together)
      const done = await s.step(`hosts from ${first + 1}`, signal =>
        Promise.all(batch.map(host => cacheOn(s, host, input.images, signal))),
      )
      await s.record(`tell of hosts from ${first + 1}`, async ctx => {
        for (const [n, host] of batch.entries()) {
          const progress = { host, images: done[n]!, index: first + n + 1, total: input.hosts.length }
          await tellCaching(ctx, input.aggregate_id, 'progress', progress)
        }
      })
    }
    await s.last('end', ctx => tellCaching(ctx, input.aggregate_id, 'end'))
  },
)

async function tellCaching(
  ctx: Ctx,
  id: number,
  phase: 'start' | 'progress' | 'end',
  progress?: Omit<ProgressFacts, 'id' | 'uuid' | 'name'>,
): Promise<void> {
  const row = await aggregates.find(ctx.db, { id })
  // Deleted meanwhile: then there is nobody who waits for it.
  if (!row) return
  const { uuid, name, metadata } = row
  const hosts = (await aggregateHosts.list(ctx.db, { aggregate_id: id })).map(member => member.host).sort()
  const facts = progress ? { id, uuid, name, ...progress } : { id, uuid, name, hosts, metadata }
  await ctx.events.emit(ctx, `aggregate.cache_images.${phase}`, uuid, facts)
}

/** What became of each image; a host that cannot have one still gets the others. */
async function cacheOn({ ctx }: SagaRun, host: string, images: Input['images'], signal: AbortSignal) {
  const row = await hostRows.find(ctx.db, { name: host })
  const outcomes: Record<string, Outcome> = {}
  for (const { id, spec } of images) {
    signal.throwIfAborted()
    if (!row || !isUp(ctx, row)) outcomes[id] = 'skipped'
    else outcomes[id] = spec ? await fetchTo(ctx, host, spec, signal) : 'error'
  }
  return outcomes
}

async function fetchTo(ctx: Ctx, host: string, image: ImageSpec, signal: AbortSignal): Promise<Outcome> {
  try {
    const options = { request: ctx, signal, deadline: ctx.clock.now() + hostDeadlineMs }
    return await hostAgent(ctx, host).call('cacheImage', { image }, options)
  } catch (error) {
    signal.throwIfAborted()
    // The host's agent is of an older release.
    if (error instanceof UnsupportedVersion) return 'unsupported'
    ctx.log.warn({ err: messageOf(error), host, image_id: image.id }, 'an image could not be fetched ahead')
    return 'error'
  }
}

async function specOf(ctx: Ctx, info: ImageInfo | undefined): Promise<ImageSpec | null> {
  if (info?.status !== 'active') return null
  const { id, size, virtual_size, disk_format, os_hash_algo, os_hash_value, properties } = info
  if (size === null || os_hash_algo === null || os_hash_value === null) return null
  const format = bootFormat(disk_format)
  if (!format || info.unacceptable !== null) return null
  const bases = info.base_image_id === null ? undefined : await storedBases(ctx, info)
  const stored = { id, size, hash_algo: os_hash_algo, hash_value: os_hash_value }
  return { ...stored, ...format, properties, ...(virtual_size !== null && { virtual_size }), ...(bases && { bases }) }
}

export const cacheImages: Operation = operation({
  id: 'compute.aggregates.cache_images',
  method: 'POST',
  path: '/v2.1/os-aggregates/{aggregate_id}/images',
  summary: 'Fetch images to the hosts of an aggregate before servers need them',
  versions: { min: '2.81' },
  policy: rule('compute:aggregates:images', admin),
  request: Type.Object(
    {
      cache: Type.Array(Type.Object({ id: Type.String({ format: 'uuid' }) }, { additionalProperties: false }), {
        minItems: 1,
      }),
    },
    { additionalProperties: false },
  ),
  async handle(ctx, { params, body: { cache } }) {
    integerId(params.aggregate_id)
    const ids = cache.map(one => one.id)
    if (new Set(ids).size < ids.length) throw new BadRequest('Duplicate images in request')
    const aggregate = await loadAggregate(ctx, params.aggregate_id)
    const found = await ctx.services.image.many(ctx, ids)
    const images = await Promise.all(ids.map(async id => ({ id, spec: await specOf(ctx, found.get(id)) })))
    const input = { aggregate_id: aggregate.id, hosts: aggregate.hosts, images }
    await ctx.transaction(tx => tx.sagas.start(tx, cacheImagesSaga, input, `aggregate ${aggregate.id}`))
    return reply(undefined, { status: 202 })
  },
})
