/** The import in the old way: a task that makes an image of what is at an address. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { checkUri, startImport } from './blobs/import-operation.ts'
import { checkVisibility, imageFrom, insertImage } from './images/create.ts'
import { storesOf } from './stores.ts'

/** Makes an image of what is at an address. When that fails, it goes again. */
export async function beginOldImport(tx: Ctx, task: string, input: Record<string, unknown>): Promise<void> {
  const { import_from, import_from_format, image_properties } = input
  for (const [name, value] of Object.entries({ import_from, import_from_format, image_properties }))
    if (value === undefined) throw new BadRequest(`Input does not contain '${name}' field`)
  if (typeof import_from !== 'string' || import_from.length > 2048) throw new BadRequest("'import_from' must be text.")
  checkUri(tx, import_from)
  const image = imageFrom(tx, image_properties as Record<string, unknown>)
  checkVisibility(tx, image)
  await insertImage(tx, image)
  const method = { name: 'web-download', uri: import_from }
  const stores = [storesOf(tx).main.id]
  const asked = { method, stores, all_stores: false, all_stores_must_succeed: true }
  await startImport(tx, image, asked, { task, temporary: true })
}
