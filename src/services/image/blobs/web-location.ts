/** Gives an image its bytes by their address on the web: they stay there, and are read once to know what they are. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Forbidden } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { type SagaError, saga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { imageConfig } from '../config.ts'
import { tellNoBytes, tellOf } from '../events.ts'
import type { Contents } from '../formats/format.ts'
import { findImage, noImage, visibleImage } from '../images/image.ts'
import { images, noBytes, properties } from '../images/store.ts'
import { addLocation, viewLocation } from '../locations/location.ts'
import { sizeAt, webStoreFor } from '../locations/steps.ts'
import { locations } from '../locations/store.ts'
import { openUrl } from '../outside.ts'
import { addLocationRule, fetchLocation } from '../rules.ts'
import { sample } from '../sample.ts'
import { storesOf } from '../stores.ts'
import { endTask, newTask, taskGoesOn } from '../tasks/task.ts'
import { taskProperty } from './progress.ts'
import { streamHasher } from './stream-hasher.ts'

interface Expected {
  os_hash_algo: string
  os_hash_value: string
}

export interface LocationInput {
  task: string
  image: string
  url: string
  expected: Expected | null
}

export const locationSaga = saga<LocationInput>(
  'image.web-location',
  { revision: 1, deadline: 24 * 3_600_000, failed: locationFailed },
  async (s, input) => {
    const { ctx } = s
    await s.record('begin', async tx => taskGoesOn(tx, input.task))
    const size = await s.step('ask for the size', () => sizeAt(ctx, input.url))
    const os_hash_algo = input.expected?.os_hash_algo ?? 'sha512'
    // What nobody vouches for may be used while it is still being read.
    const first = { size, os_hash_algo: input.expected ? null : os_hash_algo }
    await s.record('name it', async tx => {
      await write(tx, input, { ...first, status: input.expected ? 'importing' : 'active' })
      if (!input.expected) await tellOf(tx, input.image, 'activate')
    })
    const read = await s.step('read', signal => readOnce(ctx, input, os_hash_algo, signal))
    // One that an older version has read says nothing of what is in it.
    const { os_hash_value, contents = null, ...known } = read
    if (input.expected && input.expected.os_hash_value.toLowerCase() !== os_hash_value)
      throw new Error(`os_hash_value: (${input.expected.os_hash_value}) not matched with actual os_hash_value`)
    await s.last('end', async tx => {
      await write(tx, input, { ...known, ...contents, os_hash_algo, os_hash_value, status: 'active' })
      if (input.expected) await tellOf(tx, input.image, 'activate')
      await properties.remove(tx.db, { image_id: input.image, name: taskProperty, value: input.task })
      await endTask(tx, input.task, { status: 'success', result: { image_id: input.image } })
    })
  },
)

async function write(tx: Ctx, input: LocationInput, patch: object): Promise<void> {
  const now = new Date(tx.clock.now()).toISOString()
  if ((await images.update(tx.db, { id: input.image }, { ...patch, updated_at: now })) === 0)
    throw new Error('the image was deleted')
}

async function readOnce(ctx: Ctx, { url, image: id }: LocationInput, algorithm: string, signal: AbortSignal) {
  const { status, body } = await openUrl(ctx, url, { signal })
  const most = ctx.config.of(imageConfig).max_size_bytes
  await using hasher = streamHasher(['md5', algorithm])
  const looked = sample()
  let size = 0
  try {
    if (status !== 200) throw new Error(`the server answered ${status}`)
    for await (const piece of body) {
      size += piece.length
      if (size > most) throw new Error(`there are more than ${most} bytes`)
      looked.add(piece)
      await hasher.update(piece)
    }
    const [checksum, os_hash_value] = (await hasher.digests()) as [string, string]
    return { size, checksum, os_hash_value, contents: await contentsOf(ctx, id, looked) }
  } finally {
    body.destroy()
  }
}

/** What the bytes that were hashed hold. No image is refused for it, as upstream: servers are not made of one that is not what it says. */
async function contentsOf(ctx: Ctx, id: string, looked: ReturnType<typeof sample>): Promise<Contents | null> {
  const image = await findImage(ctx, id)
  if (!image?.disk_format || !image.container_format) return null
  const { disk_format, container_format } = image
  const max_virtual_size = ctx.config.of(imageConfig).max_virtual_size_bytes
  const limits = { max_virtual_size, any_format: true, keep_unsafe: true }
  return looked.contents({ disk_format, container_format }, limits)
}

/** The location stays, as upstream: what is said to be there is not believed, and another can be added. */
async function locationFailed(tx: Ctx, input: LocationInput, error: SagaError): Promise<void> {
  const queued = { ...noBytes, status: 'queued', updated_at: new Date(tx.clock.now()).toISOString() }
  await images.update(tx.db, { id: input.image, status: ['importing', 'active'] }, queued)
  await tellNoBytes(tx, input.image, error.message)
  await properties.remove(tx.db, { image_id: input.image, name: taskProperty, value: input.task })
  await endTask(tx, input.task, { status: 'failure', message: error.message })
}

const lengths: Record<string, number> = { md5: 32, sha1: 40, sha256: 64, sha512: 128 }

function expectedOf(body: Record<string, unknown>): Expected | null {
  const data = body.validation_data
  if (data === undefined || data === null) return null
  const wrong = (why: string) => new BadRequest(`Provided object does not match schema 'location': ${why}`)
  if (typeof data !== 'object' || Array.isArray(data)) throw wrong('validation_data must be an object')
  const { os_hash_algo, os_hash_value, ...more } = data as Record<string, unknown>
  if (Object.keys(more).length > 0) throw wrong(`there may be no ${Object.keys(more)[0]} in validation_data`)
  if (os_hash_algo === undefined && os_hash_value === undefined) return null
  if (typeof os_hash_algo !== 'string' || typeof os_hash_value !== 'string')
    throw wrong('os_hash_algo and os_hash_value belong together')
  const length = lengths[os_hash_algo]
  if (length === undefined) throw wrong(`os_hash_algo is not one of ${Object.keys(lengths).join(', ')}`)
  if (!/^[0-9a-f]*$/i.test(os_hash_value))
    throw new BadRequest(`os_hash_value (${os_hash_value}) is not a valid hexadecimal value`)
  if (os_hash_value.length !== length)
    throw new BadRequest(
      `os_hash_value: (${os_hash_value}) is not the correct size for (${os_hash_algo}) (should be (${length / 2}) bytes)`,
    )
  return { os_hash_algo, os_hash_value }
}

const locationBody = Type.Object({
  url: Type.String({ maxLength: 2048 }),
  validation_data: Type.Optional(Type.Object({ os_hash_algo: Type.String(), os_hash_value: Type.String() })),
})

export const addWebLocation = operation({
  id: 'image.locations.add',
  method: 'POST',
  path: '/v2/images/{image_id}/locations',
  summary: 'Give an image its bytes by their address on the web',
  policy: addLocationRule,
  takes: locationBody,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { target, body }) {
    if (typeof body !== 'object' || body === null) throw new BadRequest('Body expected in request.')
    const { url } = body as Record<string, unknown>
    if (typeof url !== 'string' || url.length > 2048)
      throw new BadRequest("Provided object does not match schema 'location': 'url' is a required property")
    refuseUnlessQueued(target.status)
    if (!storesOf(ctx).list.some(store => store.type === 'http'))
      throw new Forbidden('http store must be enabled to use location API by normal user.')
    const store = webStoreFor(ctx, url)
    const expected = expectedOf(body as Record<string, unknown>)
    await ctx.transaction(async tx => {
      const now = new Date(tx.clock.now()).toISOString()
      // Writing first locks the row until the end of the transaction.
      if ((await images.update(tx.db, { id: target.id }, { updated_at: now })) === 0) throw noImage(target.id)
      const image = await visibleImage(tx, target.id)
      refuseUnlessQueued(image.status)
      if (image.properties[taskProperty] !== undefined)
        throw new Conflict(
          `New operation on image '${image.id}' is not permitted as prior operation is still in progress`,
        )
      const input = { image_id: image.id, loc_url: url, validation_data: expected ?? {} }
      const task = await newTask(tx, { type: 'location_import', image_id: image.id, input })
      await properties.insert(tx.db, { image_id: image.id, name: taskProperty, value: task.id })
      await locations.remove(tx.db, { image_id: image.id })
      await addLocation(tx, image.id, store, { url })
      await tx.sagas.start(tx, locationSaga, { task: task.id, image: image.id, url, expected }, image.id)
    })
    return reply(undefined, { status: 202 })
  },
})

function refuseUnlessQueued(status: string): void {
  if (status !== 'queued') throw new Conflict(`It's not allowed to add locations if image status is ${status}.`)
}

export const listLocations = operation({
  id: 'image.locations.list',
  method: 'GET',
  path: '/v2/images/{image_id}/locations',
  summary: 'List where the bytes of an image are, for services of the cloud',
  policy: fetchLocation,
  response: Type.Array(Type.Object({ url: Type.String(), metadata: Type.Unknown() })),
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  handle: async (ctx, { target }) => target.locations.map(location => viewLocation(ctx, target.blob, location)),
})
