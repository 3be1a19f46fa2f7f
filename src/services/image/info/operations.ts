/** What a client may ask about the service: import methods, stores, usage and its limits. */
import type { Ctx } from '#kernel/context.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { imageConfig } from '../config.ts'
import { usageOf } from '../images/store.ts'
import { limitOf, type Resource, usedOf } from '../quota.ts'
import { storesDetail } from '../rules.ts'
import { s3SettingsOf } from '../s3-settings.ts'
import { isReadOnly, quotaWeights, type Store, storesOf } from '../stores.ts'

/** Flags are text, as upstream has them. */
const shown = (ctx: Ctx, store: Store) => ({
  id: store.id,
  ...(store.description !== '' && { description: store.description }),
  ...(store.id === storesOf(ctx).main.id && { default: 'true' }),
  ...(isReadOnly(store) && { 'read-only': 'true' }),
})

export const showImportInfo = operation({
  id: 'image.info.import',
  method: 'GET',
  path: '/v2/info/import',
  summary: 'Show the import methods',
  policy: 'authenticated',
  response: Type.Object({
    'import-methods': Type.Object({
      description: Type.String(),
      type: Type.String(),
      value: Type.Array(Type.String()),
    }),
  }),
  handle: async ctx => ({
    'import-methods': {
      description: 'Import methods available.',
      type: 'array',
      value: [...ctx.config.of(imageConfig).import_methods],
    },
  }),
})

export const listStores = operation({
  id: 'image.info.stores',
  method: 'GET',
  path: '/v2/info/stores',
  summary: 'List the stores of image bytes',
  policy: 'authenticated',
  response: Type.Object({ stores: Type.Array(Type.Unknown()) }),
  handle: async ctx => ({ stores: storesOf(ctx).list.map(store => shown(ctx, store)) }),
})

/** Under upstream's names. */
async function propertiesOf(ctx: Ctx, { id, type }: Store): Promise<Record<string, string>> {
  if (type === 'http') return {}
  if (type !== 's3') return { data_dir: await storesOf(ctx).directoryOf(id) }
  const { endpoint, bucket } = s3SettingsOf(ctx.config.of(imageConfig).stores[id]!)
  return { s3_store_host: endpoint, s3_store_bucket: bucket }
}

export const listStoresDetail = operation({
  id: 'image.info.stores_detail',
  method: 'GET',
  path: '/v2/info/stores/detail',
  summary: 'List the stores of image bytes with their settings',
  policy: storesDetail,
  response: Type.Object({ stores: Type.Array(Type.Unknown()) }),
  async handle(ctx) {
    const detailed = async (store: Store) => ({
      ...shown(ctx, store),
      type: store.type,
      weight: store.weight,
      properties: await propertiesOf(ctx, store),
    })
    return { stores: await Promise.all(storesOf(ctx).list.map(detailed)) }
  },
})

const quota = Type.Object({ limit: Type.Integer(), usage: Type.Integer() })
export const showUsage = operation({
  id: 'image.info.usage',
  method: 'GET',
  path: '/v2/info/usage',
  summary: "Show the project's usage and limits",
  policy: 'authenticated',
  response: Type.Object({
    usage: Type.Object({
      image_size_total: quota,
      image_stage_total: quota,
      image_count_total: quota,
      image_count_uploading: quota,
    }),
  }),
  async handle(ctx) {
    const project = ctx.identity.project_id ?? ''
    const used = await usageOf(ctx.db, [project], quotaWeights(ctx))
    const shownOf = async (resource: Resource) => {
      const limit = await limitOf(ctx, project, resource)
      return {
        limit: limit === Number.POSITIVE_INFINITY ? -1 : Math.floor(limit),
        usage: Math.ceil(usedOf(used, resource)),
      }
    }
    return {
      usage: {
        image_size_total: await shownOf('image_size_total'),
        image_stage_total: await shownOf('image_stage_total'),
        image_count_total: await shownOf('image_count_total'),
        image_count_uploading: await shownOf('image_count_uploading'),
      },
    }
  },
})
