/** Upload and download of the bytes of an image; staging for a later import. */
import { Readable } from 'node:stream'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Forbidden, UnsupportedMediaType } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { hasBytes, seesAll, visibleImage } from '../images/image.ts'
import type { ImageRow } from '../images/store.ts'
import { downloadImage, modifyImage, uploadImage } from '../rules.ts'
import { landingOf, storesOf } from '../stores.ts'
import { takeAllowance } from '../transfers/transfer.ts'
import { bytesOf, rangeOf } from './download.ts'
import { rangeHere, received, restOf } from './resume.ts'
import { stage, upload } from './upload.ts'

type Headers = Record<string, string | undefined>

/** Throws for headers that are wrong; returns how many bytes they promise. */
function promised(headers: Headers): number | undefined {
  const type = headers['content-type']
  if (type !== 'application/octet-stream')
    throw new UnsupportedMediaType(
      `The request media type ${type ?? ''} is not supported: send application/octet-stream.`,
    )
  const size = headers['x-openstack-image-size']
  if (size === undefined) return undefined
  if (!/^\d{1,15}$/.test(size)) throw new BadRequest('Invalid or missing image size in request headers.')
  return Number(size)
}

/** The store that a header names. */
function storeAsked(ctx: Ctx, headers: Headers): string | undefined {
  const asked = headers['x-image-meta-store']
  if (asked === undefined) return undefined
  if (storesOf(ctx).writable.some(store => store.id === asked)) return asked
  throw new BadRequest(`The image store ${asked} is not one that images can be uploaded to.`)
}

/** Reads a body to its end even when it is refused: most clients look at the answer only after they have sent everything. */
async function reading(stream: Readable, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    stream.resume()
    throw error
  }
}

/** For who was interrupted: how many bytes are here, in a Range header; or that all are. */
async function howFar(ctx: Ctx, image: ImageRow, total: number, store = storesOf(ctx).main.id) {
  if (hasBytes(image) && image.size === total) return undefined
  return reply(undefined, { status: 202, headers: rangeHere(await received(ctx, image, landingOf(ctx, store))) })
}

export const uploadFile = operation({
  id: 'image.images.upload',
  method: 'PUT',
  path: '/v2/images/{image_id}/file',
  summary: 'Upload the bytes of an image',
  policy: uploadImage,
  raw: true,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { params, target, headers, stream }) {
    const store = storeAsked(ctx, headers)
    const rest = restOf(headers['content-range'])
    if (rest && rest.after === undefined) return howFar(ctx, target, rest.total, store)
    await reading(stream, () => {
      const size = promised(headers) ?? rest?.total
      return upload(ctx, params.image_id, { bytes: stream, size, store, after: rest?.after })
    })
    return undefined
  },
})

export const stageFile = operation({
  id: 'image.images.stage',
  method: 'PUT',
  path: '/v2/images/{image_id}/stage',
  summary: 'Upload the bytes of an image for a later import',
  policy: modifyImage,
  raw: true,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { params, headers, stream }) {
    await reading(stream, () => stage(ctx, params.image_id, { bytes: stream, size: promised(headers) }))
    return undefined
  },
})

/** Who took the bytes for a disk would have one full of holes. */
const onlyChanges = (id: string, base: string) =>
  new Conflict(
    `Image ${id} holds only what changed since image ${base}, which is no disk to download. Create a server from it and an image of that server, and download that.`,
  )

export const downloadFile = operation({
  id: 'image.images.download',
  method: 'GET',
  path: '/v2/images/{image_id}/file',
  summary: 'Download the bytes of an image',
  policy: downloadImage,
  answers: 'application/octet-stream',
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { target: image, headers, method, signal }) {
    if (image.status === 'deactivated' && !seesAll(ctx))
      throw new Forbidden('The requested image has been deactivated. Image data download is forbidden.')
    if (!hasBytes(image) || image.locations.length === 0 || image.size === null) return undefined
    if (image.base_image_id !== null) throw onlyChanges(image.id, image.base_image_id)
    const etag = `"${image.os_hash_value ?? image.blob}"`
    if (headers['if-none-match']?.split(',').some(tag => [etag, '*'].includes(tag.trim())))
      return reply(undefined, { status: 304, headers: { etag } })
    // Who has a part of something else is given the whole.
    const fits = headers['if-range'] === undefined || headers['if-range'] === etag
    const range = fits ? rangeOf(headers.range, image.size) : undefined
    const length = range ? range.end - range.start + 1 : image.size
    if (method !== 'HEAD') await takeAllowance(ctx, length)
    return reply(method === 'HEAD' ? Readable.from([]) : await bytesOf(ctx, image, range, signal), {
      status: range ? 206 : 200,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(length),
        'accept-ranges': 'bytes',
        etag,
        ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${image.size}` }),
        ...(!range && image.checksum && { 'content-md5': image.checksum }),
      },
    })
  },
})
