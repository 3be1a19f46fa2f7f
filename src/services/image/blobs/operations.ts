/** Upload and download of the bytes of an image. */
import { Forbidden, UnsupportedMediaType } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { visibleImage } from '../images/image.ts'
import { downloadImage, uploadImage } from '../rules.ts'
import { bytesOf, rangeOf } from './download.ts'
import { upload } from './upload.ts'

export const uploadFile = operation({
  id: 'image.images.upload',
  method: 'PUT',
  path: '/v2/images/{image_id}/file',
  summary: 'Upload the bytes of an image',
  policy: uploadImage,
  raw: true,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { params, headers, stream }) {
    if (headers['content-type'] !== 'application/octet-stream')
      throw new UnsupportedMediaType(
        `The request media type ${headers['content-type'] ?? ''} is not supported: send application/octet-stream.`,
      )
    await upload(ctx, params.image_id, stream)
    return undefined
  },
})

export const downloadFile = operation({
  id: 'image.images.download',
  method: 'GET',
  path: '/v2/images/{image_id}/file',
  summary: 'Download the bytes of an image',
  policy: downloadImage,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { target: image, headers, signal }) {
    if (image.status === 'deactivated' && !ctx.identity.roles.includes('admin'))
      throw new Forbidden('The requested image has been deactivated. Image data download is forbidden.')
    if (!['active', 'deactivated'].includes(image.status) || !image.blob || image.size === null) return undefined
    const range = rangeOf(headers.range, image.size)
    const length = range ? range.end - range.start + 1 : image.size
    return reply(await bytesOf(ctx, image.blob, range, signal), {
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
