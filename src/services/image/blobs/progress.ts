/** How an import goes on, as the image shows it: who works on it, which stores are still to come, which failed. */
import type { Ctx } from '#kernel/context.ts'
import { images, properties } from '../images/store.ts'

export const taskProperty = 'os_glance_import_task'
const importing = 'os_glance_importing_to_stores'
const failed = 'os_glance_failed_import'

async function write(ctx: Ctx, image_id: string, name: string, value: string): Promise<void> {
  if ((await properties.update(ctx.db, { image_id, name }, { value })) > 0) return
  // A deleted image keeps nothing.
  if ((await images.count(ctx.db, { id: image_id })) > 0) await properties.insert(ctx.db, { image_id, name, value })
}

async function listed(ctx: Ctx, image_id: string, name: string): Promise<string[]> {
  const row = await properties.find(ctx.db, { image_id, name })
  return row?.value ? row.value.split(',') : []
}

const joined = (stores: Iterable<string>) => [...new Set(stores)].sort().join(',')

export async function importBegins(ctx: Ctx, id: string, task: string, stores: string[]): Promise<void> {
  await write(ctx, id, taskProperty, task)
  await nothingToImport(ctx, id, stores)
}

export async function nothingToImport(ctx: Ctx, id: string, stores: string[] = []): Promise<void> {
  await write(ctx, id, importing, joined(stores))
  const before = await listed(ctx, id, failed)
  const left = stores.length === 0 ? [] : before.filter(store => !stores.includes(store))
  await write(ctx, id, failed, joined(left))
}

export async function storeIsDone(ctx: Ctx, id: string, store: string, ok: boolean): Promise<void> {
  const left = await listed(ctx, id, importing)
  await write(ctx, id, importing, joined(left.filter(name => name !== store)))
  if (!ok) await write(ctx, id, failed, joined([...(await listed(ctx, id, failed)), store]))
}

/** The end of it. Stores that were not reached have failed. */
export async function importEnds(ctx: Ctx, id: string, task: string, failedStores: string[]): Promise<void> {
  await properties.remove(ctx.db, { image_id: id, name: taskProperty, value: task })
  await write(ctx, id, importing, '')
  if (failedStores.length > 0)
    await write(ctx, id, failed, joined([...(await listed(ctx, id, failed)), ...failedStores]))
}
