/** Image (Glance): disks to boot from, with their bytes. */
import { service } from '#kernel/service.ts'
import { blobsOf } from './blobs/blob.ts'
import { downloadFile, uploadFile } from './blobs/operations.ts'
import { orphanFiles } from './blobs/reconciler.ts'
import { imageConfig } from './config.ts'
import { imageFaults } from './faults.ts'
import { createImage } from './images/create.ts'
import { listImages } from './images/list.ts'
import {
  addImageTag,
  deactivateImage,
  reactivateImage,
  removeImage,
  removeImageTag,
  showImage,
} from './images/operations.ts'
import { updateImage } from './images/update.ts'
import { initial } from './migrations/0001-initial.ts'
import { imageContract } from './offers.ts'
import { addImage, communitizeImage, publicizeImage } from './rules.ts'
import { listVersions, showVersions } from './versions.ts'

export const imageService = service({
  type: 'image',
  name: 'glance',
  path: '/image',
  operations: [
    ...[listVersions, showVersions],
    ...[createImage, listImages, showImage, updateImage, removeImage],
    ...[deactivateImage, reactivateImage, addImageTag, removeImageTag],
    ...[uploadFile, downloadFile],
  ],
  rules: [addImage, publicizeImage, communitizeImage],
  faults: imageFaults,
  reconcilers: [orphanFiles],
  migrations: [initial],
  config: imageConfig,
  contract: imageContract,
  start: async env => ({ [Symbol.asyncDispose]: () => blobsOf(env).dispose() }),
})
