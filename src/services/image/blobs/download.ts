/** Gives the bytes of an image, whole or a part of them. */
import { Readable } from 'node:stream'
import type { Env } from '#kernel/context.ts'
import { Fault, messageOf, Unavailable } from '#kernel/errors.ts'
import type { Range } from '../blob-store.ts'
import { fromCache } from '../cache/cache.ts'
import { byWeight, type LocationRow } from '../locations/location.ts'
import { openUrl } from '../outside.ts'
import { isFar, storesOf } from '../stores.ts'
import { openWatched } from '../watched/watched.ts'

/** The part that a Range header asks for; undefined for the whole. Throws 416 for one outside of the image. */
export function rangeOf(header: string | undefined, size: number): Range | undefined {
  if (header === undefined) return undefined
  const match = /^bytes=(\d*)-(\d*)$/.exec(header.trim())
  if (!match || (match[1] === '' && match[2] === '')) throw outside(header, size)
  const [, first, last] = match as unknown as [string, string, string]
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (start > end || start >= size) throw outside(header, size)
  return { start, end }
}

function outside(header: string, size: number): Fault {
  return new Fault(416, 'Requested Range Not Satisfiable', `The requested range ${header} is not within the image.`, {
    headers: { 'content-range': `bytes */${size}` },
  })
}

export interface Held {
  id: string
  blob: string | null
  size: number | null
  locations: readonly LocationRow[]
}

/** Opens the bytes in the first store that gives them. Throws 503 when none does. */
export async function bytesOf(env: Env, image: Held, range?: Range, signal?: AbortSignal): Promise<Readable> {
  const held = byWeight(env, image.locations)
  const cached = held[0] && isFar(env, held[0].store) ? await fromCache(env, image.id, range, signal) : undefined
  return cached ?? storedBytes(env, { ...image, locations: held }, range, signal)
}

/** The same, from the stores themselves. */
export async function storedBytes(env: Env, image: Held, range?: Range, signal?: AbortSignal): Promise<Readable> {
  for (const location of byWeight(env, image.locations)) {
    try {
      return await openAt(env, image, location, range, signal)
    } catch (error) {
      if (signal?.aborted) throw error
      env.log.warn({ image: image.id, store: location.store, err: messageOf(error) }, 'a store did not give an image')
    }
  }
  throw new Unavailable(`No store gives the bytes of image ${image.id} at present.`)
}

async function openAt(env: Env, { id, blob, size }: Held, location: LocationRow, range?: Range, signal?: AbortSignal) {
  const { store, url } = location
  if (url === null) return (await storesOf(env).open(store)).open(blob!, range, signal)
  if (storesOf(env).find(store)?.type === 'watched')
    return openWatched(env, { image_id: id, store, url }, range, signal)
  return fromWeb(env, url, size, range, signal)
}

async function fromWeb(
  env: Env,
  url: string,
  size: number | null,
  range?: Range,
  signal?: AbortSignal,
): Promise<Readable> {
  const headers = range ? { range: `bytes=${range.start}-${range.end}` } : undefined
  const { status, body } = await openUrl(env, url, { ...(headers && { headers }), signal })
  const length = range ? range.end - range.start + 1 : size
  if (status === (range ? 206 : 200)) return length === null ? body : Readable.from(exactly(body, length))
  body.destroy()
  throw new Error(`the web server answered ${status}`)
}

/** A web server may send more than there was when the image was registered: a client would read that as its next answer. */
async function* exactly(body: Readable, length: number): AsyncGenerator<Buffer> {
  let left = length
  for await (const piece of body) {
    left -= piece.length
    if (left < 0) throw new Error('the web server sends more than the image has')
    yield piece
  }
  if (left > 0) throw new Error('the web server sends less than the image has')
}
