/** A folder of this machine as a store. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlobStore } from './blob-store.ts'
import { copyBlob, listBlobs, readBlob, removeBlob } from './blobs/blob.ts'

export function fileStore(directory: string): BlobStore {
  const at = (name: string) => join(directory, name)
  return {
    put: (blob, file) => copyBlob(file, at(blob)),
    async open(blob, range, signal) {
      await access(at(blob))
      return readBlob(at(blob), range, signal)
    },
    remove: name => removeBlob(at(name)),
    list: () => listBlobs(directory),
  }
}
