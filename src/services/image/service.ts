/** Image (Glance): disks to boot from, with their bytes. */
import { service } from '#kernel/service.ts'
import { blobsOf } from './blobs/blob.ts'
import { downloadFile, importImage, stageFile, uploadFile } from './blobs/operations.ts'
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
import { imageSchemaOf } from './images/properties.ts'
import { showImageSchema, showImagesSchema } from './images/schemas.ts'
import { updateImage } from './images/update.ts'
import { listStores, listStoresDetail, showImportInfo, showUsage } from './info/operations.ts'
import { createMember, listMembers, removeMember, showMember, updateMember } from './members/operations.ts'
import { showMemberSchema, showMembersSchema } from './members/schemas.ts'
import { metadefOperations, metadefRules } from './metadefs/operations.ts'
import { initial } from './migrations/0001-initial.ts'
import { metadefs } from './migrations/0002-metadefs.ts'
import { imageContract } from './offers.ts'
import { addImage, communitizeImage, publicizeImage } from './rules.ts'
import { listVersions, showVersions } from './versions.ts'

export const imageService = service({
  type: 'image',
  name: 'glance',
  path: '/image',
  strictSlashes: true,
  operations: [
    ...[listVersions, showVersions],
    ...[createImage, listImages, showImage, updateImage, removeImage],
    ...[deactivateImage, reactivateImage, addImageTag, removeImageTag],
    ...[uploadFile, downloadFile, stageFile, importImage],
    ...[createMember, listMembers, showMember, updateMember, removeMember],
    ...[showImageSchema, showImagesSchema, showMemberSchema, showMembersSchema],
    ...[showImportInfo, listStores, listStoresDetail, showUsage],
    ...metadefOperations,
  ],
  rules: [addImage, publicizeImage, communitizeImage, ...metadefRules],
  faults: imageFaults,
  reconcilers: [orphanFiles],
  migrations: [initial, metadefs],
  config: imageConfig,
  contract: imageContract,
  async start(env) {
    imageSchemaOf(env)
    return { [Symbol.asyncDispose]: () => blobsOf(env).dispose() }
  },
})
