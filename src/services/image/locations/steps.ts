/** Changes the locations of an image as owners may where the cloud shows them: more web addresses, other metadata, fewer. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Forbidden, messageOf } from '#kernel/errors.ts'
import { imageConfig } from '../config.ts'
import type { ImageRow } from '../images/store.ts'
import { images } from '../images/store.ts'
import { openUrl } from '../outside.ts'
import { deleteLocation, setLocation } from '../rules.ts'
import { storesOf } from '../stores.ts'
import { addLocation, dropFile, type LocationRow, locationsOf, urlOf } from './location.ts'
import { locations } from './store.ts'

export interface LocationChange {
  op: 'add' | 'replace' | 'remove'
  value: unknown
  position?: string
}

interface Given {
  url: string
  metadata: Record<string, unknown>
  validation_data?: Partial<Pick<ImageRow, 'checksum' | 'os_hash_algo' | 'os_hash_value'>>
}

/** How big what is at a web address is; null when it does not say. */
export type Sizes = Map<string, number | null>

const givenBy = ({ op, value }: LocationChange): Given[] =>
  op === 'remove' ? [] : ((op === 'add' ? [value] : value) as Given[])

/** Asks web servers for what the changes need to know. */
export async function sizesOf(ctx: Ctx, changes: LocationChange[]): Promise<Sizes> {
  const sizes: Sizes = new Map()
  if (!ctx.config.of(imageConfig).show_locations) return sizes
  for (const { url } of changes.flatMap(givenBy).slice(0, 20))
    if (/^https?:/i.test(url) && !sizes.has(url)) sizes.set(url, await sizeAt(ctx, url))
  return sizes
}

/** The length of what is at a web address. Throws 400 when it cannot be read. */
export async function sizeAt(ctx: Ctx, url: string): Promise<number | null> {
  try {
    const { status, headers, body } = await openUrl(ctx, url)
    body.destroy()
    if (status !== 200) throw new Error(`the server answered ${status}`)
    const length = headers['content-length']
    return length === undefined ? null : Number(length)
  } catch (cause) {
    throw new BadRequest(`The image location ${url} cannot be read: ${messageOf(cause)}`, { cause })
  }
}

type Edited = ImageRow & { id: string; project_id: string | null; [extra: string]: unknown }

/** Applies one change, to rows and to `image`. In a transaction that has locked the image. */
export async function editLocations(ctx: Ctx, image: Edited, change: LocationChange, sizes: Sizes): Promise<void> {
  const verb = { add: 'add', replace: 'update', remove: 'remove' }[change.op]
  const given = givenBy(change)
  if (change.op === 'replace' && given.length === 0) throw new Forbidden('Cannot set locations to empty list.')
  ctx.enforce(change.op === 'remove' ? deleteLocation : setLocation, image)
  if (!ctx.config.of(imageConfig).show_locations)
    throw new Forbidden(`It's not allowed to ${verb} locations if locations are invisible.`)
  const allowed = change.op === 'remove' ? ['active'] : ['active', 'queued']
  if (!allowed.includes(image.status))
    throw new Conflict(
      `It's not allowed to ${change.op === 'replace' ? 'replace' : verb} locations if image status is ${image.status}.`,
    )
  const held = (await locationsOf(ctx.db, [image.id])).get(image.id) ?? []
  if (change.op === 'remove') return removeAt(ctx, image, held, change.position)
  const known = validated(image, given)
  if (change.op === 'add') await addAt(ctx, image, held, given[0]!, change.position)
  else await replaceAll(ctx, image, held, given)
  if (image.status !== 'queued') return
  const size = sizes.get(given[0]!.url) ?? null
  const now = new Date(ctx.clock.now()).toISOString()
  await images.update(ctx.db, { id: image.id }, { ...known, size, status: 'active', updated_at: now })
  Object.assign(image, known, { status: 'active' })
}

async function removeAt(ctx: Ctx, image: ImageRow, held: LocationRow[], position = ''): Promise<void> {
  if (held.length === 1) throw new Forbidden('Cannot remove last location in the image.')
  const gone = position === '-' ? held.at(-1) : /^\d+$/.test(position) ? held[Number(position)] : undefined
  if (!gone) throw new BadRequest('Invalid position for removing a location.')
  await locations.remove(ctx.db, { id: gone.id })
  if (gone.url === null && image.blob !== null) await dropFile(ctx, image.blob, [gone.store])
}

async function addAt(ctx: Ctx, image: ImageRow, held: LocationRow[], given: Given, place = ''): Promise<void> {
  if (place !== '-' && !/^\d+$/.test(place)) throw new BadRequest('Invalid position for adding a location.')
  const position = place === '-' ? held.length : Math.min(Number(place), held.length)
  const store = webStoreFor(ctx, given.url)
  if (held.some(location => urlOf(ctx, image.blob, location) === given.url))
    throw new BadRequest(`The location ${given.url} already exists`)
  for (const location of held.slice(position))
    await locations.update(ctx.db, { id: location.id }, { position: location.position + 1 })
  await addLocation(ctx, image.id, store, { url: given.url, metadata: withoutStore(given), position })
}

/** The same addresses with other metadata; or, for an image without any, the first ones. */
async function replaceAll(ctx: Ctx, image: ImageRow, held: LocationRow[], given: Given[]): Promise<void> {
  const before = held.map(location => urlOf(ctx, image.blob, location))
  const after = given.map(location => location.url)
  if (held.length > 0 && before.toSorted().join(' ') !== after.toSorted().join(' '))
    throw new BadRequest(`Original locations is not empty: ${before.join(', ')}`)
  if (new Set(after).size < after.length) throw new BadRequest(`The location ${after[0]} already exists`)
  for (const [position, one] of given.entries()) {
    const metadata = withoutStore(one)
    const known = held[before.indexOf(one.url)]
    if (known) await locations.update(ctx.db, { id: known.id }, { metadata, position })
    else await addLocation(ctx, image.id, webStoreFor(ctx, one.url), { url: one.url, metadata, position })
  }
}

const withoutStore = ({ metadata: { store: _, ...metadata } }: Given) => metadata

/** The store for addresses of the web. Throws 400 when there is none, or the address is of another kind. */
export function webStoreFor(ctx: Ctx, url: string): string {
  const store = storesOf(ctx).list.find(one => one.type === 'http')
  if (!store || !/^https?:\/\//i.test(url)) throw new BadRequest(`Store for the location ${url} was not found.`)
  return store.id
}

type Known = Pick<ImageRow, 'checksum' | 'os_hash_algo' | 'os_hash_value'>

/** What the locations say of the bytes. Throws 409 when it is not what is known of them. */
function validated(image: ImageRow, given: Given[]): Partial<Known> {
  const fresh: Partial<Known> = {}
  for (const [name, value] of given.flatMap(one => Object.entries(one.validation_data ?? {}))) {
    const key = name as keyof Known
    if (fresh[key] !== undefined && fresh[key] !== value) throw new Conflict(`Conflicting values for ${key}`)
    if (image[key] === value) continue
    if (image[key] !== null) throw new Conflict(`${key} is already set with a different value`)
    fresh[key] = value
  }
  const names = Object.keys(fresh)
  if (names.length === 0) return {}
  if (image.status !== 'queued')
    throw new Conflict(`New value(s) for ${names.join(', ')} may only be provided when image status is 'queued'`)
  const { checksum, os_hash_algo, os_hash_value } = fresh
  if (checksum && !/^[0-9a-f]{32}$/i.test(checksum))
    throw new Conflict(`checksum (${checksum}) is not a valid hexadecimal value`)
  if (os_hash_algo !== 'sha512') throw new Conflict(`os_hash_algo must be sha512, not ${os_hash_algo}`)
  if (!/^[0-9a-f]{128}$/i.test(os_hash_value ?? ''))
    throw new Conflict(`os_hash_value: (${os_hash_value}) is not the correct size for sha512 (should be 64 bytes)`)
  return fresh
}
