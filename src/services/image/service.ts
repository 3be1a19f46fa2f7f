/** Image (Glance): disks to boot from, with their bytes. */
import { anySaga } from '#kernel/saga/saga.ts'
import { service } from '#kernel/service.ts'
import { importSaga } from './blobs/import.ts'
import { importImage } from './blobs/import-operation.ts'
import { downloadFile, stageFile, uploadFile } from './blobs/operations.ts'
import { orphanFiles } from './blobs/reconciler.ts'
import { takeTokens } from './blobs/source.ts'
import { addWebLocation, listLocations, locationSaga } from './blobs/web-location.ts'
import {
  cleanCache,
  clearCache,
  pruneCache,
  queueImage,
  removeCached,
  showCache,
  showCachedNodes,
} from './cache/operations.ts'
import { imageCache } from './cache/reconciler.ts'
import { imageConfig } from './config.ts'
import { imageNotifications } from './events.ts'
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
import { removeFromStore } from './locations/operations.ts'
import { createMember, listMembers, removeMember, showMember, updateMember } from './members/operations.ts'
import { showMemberSchema, showMembersSchema } from './members/schemas.ts'
import { metadefOperations, metadefRules } from './metadefs/operations.ts'
import { initial } from './migrations/0001-initial.ts'
import { metadefs } from './migrations/0002-metadefs.ts'
import { stores } from './migrations/0003-stores.ts'
import { transfers } from './migrations/0004-transfers.ts'
import { watched } from './migrations/0005-watched.ts'
import { contents } from './migrations/0006-contents.ts'
import { bases } from './migrations/0007-bases.ts'
import { imageContract } from './offers.ts'
import { addImage, communitizeImage, copyImage, getLocation, publicizeImage, setLocation } from './rules.ts'
import { storesOf } from './stores.ts'
import { createTask, listImageTasks, listTasks, showTask } from './tasks/operations.ts'
import { oldTasks } from './tasks/reconciler.ts'
import { showTaskSchema, showTasksSchema } from './tasks/schemas.ts'
import { listVersions, showVersions } from './versions.ts'
import { watchedFolders } from './watched/reconciler.ts'

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
    ...[removeFromStore, addWebLocation, listLocations],
    ...[showImportInfo, listStores, listStoresDetail, showUsage],
    ...[listTasks, showTask, createTask, listImageTasks, showTaskSchema, showTasksSchema],
    ...[showCache, queueImage, removeCached, clearCache, cleanCache, pruneCache, showCachedNodes],
    ...metadefOperations,
  ],
  rules: [addImage, publicizeImage, communitizeImage, getLocation, setLocation, copyImage, ...metadefRules],
  faults: imageFaults,
  sagas: [anySaga(importSaga), anySaga(locationSaga)],
  reconcilers: [orphanFiles, oldTasks, imageCache, watchedFolders],
  migrations: [initial, metadefs, stores, transfers, watched, contents, bases],
  config: imageConfig,
  contract: imageContract,
  notifications: imageNotifications,
  control: async env => takeTokens(env),
  async start(env) {
    imageSchemaOf(env)
    const stores = storesOf(env)
    return { [Symbol.asyncDispose]: () => stores.dispose() }
  },
})
