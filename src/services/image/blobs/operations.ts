/** Upload and download of the bytes of an image, at once or by staging and import. */
import { Readable } from 'node:stream'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Forbidden, UnsupportedMediaType } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { hasBytes, type ImageTarget, seesAll, visibleImage } from '../images/image.ts'
import { downloadImage, modifyImage, uploadImage } from '../rules.ts'
import { bytesOf, rangeOf } from './download.ts'
import { importStaged, notStaged, stage, upload } from './upload.ts'

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

/** Reads a body to its end even when it is refused: most clients look at the answer only after they have sent everything. */
async function reading(stream: Readable, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    stream.resume()
    throw error
  }
}

export const uploadFile = operation({
  id: 'image.images.upload',
  method: 'PUT',
  path: '/v2/images/{image_id}/file',
  summary: 'Upload the bytes of an image',
  policy: uploadImage,
  raw: true,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { params, headers, stream }) {
    await reading(stream, () => upload(ctx, params.image_id, stream, promised(headers)))
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
    await reading(stream, () => stage(ctx, params.image_id, stream, promised(headers)))
    return undefined
  },
})

export const importImage = operation({
  id: 'image.images.import',
  method: 'POST',
  path: '/v2/images/{image_id}/import',
  summary: 'Import the staged bytes of an image',
  policy: modifyImage,
  request: Type.Object({ method: Type.Object({ name: Type.String() }) }),
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { target, body }) {
    const { name } = body.method
    if (name !== 'glance-direct') throw new BadRequest(`Unknown import method name '${name}'.`)
    await importWhole(ctx, target)
    return reply(undefined, { status: 202 })
  },
})

async function importWhole(ctx: Ctx, image: ImageTarget): Promise<void> {
  for (const name of ['container_format', 'disk_format'] as const)
    if (image[name] === null) throw new Conflict(`'${name}' needs to be set before import`)
  if (image.status !== 'uploading' || image.alive_at !== null) throw notStaged()
  await importStaged(ctx, image)
}

export const downloadFile = operation({
  id: 'image.images.download',
  method: 'GET',
  path: '/v2/images/{image_id}/file',
  summary: 'Download the bytes of an image',
  policy: downloadImage,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { target: image, headers, method, signal }) {
    if (image.status === 'deactivated' && !seesAll(ctx))
      throw new Forbidden('The requested image has been deactivated. Image data download is forbidden.')
    if (!hasBytes(image) || image.blob === null || image.size === null) return undefined
    const range = rangeOf(headers.range, image.size)
    const length = range ? range.end - range.start + 1 : image.size
    return reply(method === 'HEAD' ? Readable.from([]) : await bytesOf(ctx, image.blob, range, signal), {
      status: range ? 206 : 200,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(length),
        'accept-ranges': 'bytes',
        etag: `"${image.os_hash_value}"`,
        ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${image.size}` }),
        ...(!range && image.checksum && { 'content-md5': image.checksum }),
      },
    })
  },
})
