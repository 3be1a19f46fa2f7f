/** The stores that hold the bytes of images: folders of this machine, buckets, and what is only read from. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Env, perCloud } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import type { BlobStore } from './blob-store.ts'
import { chunkStore } from './chunk-store.ts'
import { imageConfig } from './config.ts'
import { fileStore } from './file-store.ts'
import { s3SettingsOf, s3Url } from './s3-settings.ts'

export interface Store {
  id: string
  type: keyof typeof needed
  description: string
  /** Of several stores that hold an image, the heaviest is read from. */
  weight: number
  /** How much of a project's quota a byte takes. */
  quota_weight: number
}

export interface Stores {
  /** In the order of the configuration; `file` is the first. */
  readonly list: readonly Store[]
  /** Where bytes go when no store is asked for. */
  readonly main: Store
  /** Those that bytes can be written to. */
  readonly writable: readonly Store[]
  find(id: string): Store | undefined
  /** The folder of a file store, made when first asked for. */
  directoryOf(store: string): Promise<string>
  /** What can be done with the bytes in a store that can be written to. */
  open(store: string): Promise<BlobStore>
  /** How the store keeps what users call so; undefined where there is nothing to choose. Throws for a word that it does not know. */
  classOf(store: string, word: string | undefined): string | undefined
  /** The address of a blob as the API shows it. */
  urlOf(store: string, blob: string): string
  /** Names of blobs that this process is writing. */
  readonly busy: Set<string>
  /** Removes the folders that were temporary. */
  dispose(): Promise<void>
}

/** The store in which bytes wait for their import. */
export const stagingStore = 'file'

/** Throws when the configuration makes no sense. */
export const storesOf = perCloud<Stores>((env: Env) => {
  const config = env.config.of(imageConfig)
  const list: Store[] = [
    {
      ...{ id: 'file', type: 'file', description: 'Files on a disk of the cloud' },
      ...{ weight: config.weight, quota_weight: config.quota_weight },
    },
    ...Object.entries(config.stores).map(([id, { type, description = '', weight = 0, quota_weight = 1 }]) => ({
      ...{ id, type, description, weight, quota_weight },
    })),
  ]
  const find = (id: string) => list.find(store => store.id === id)
  const main = find(config.default_store)
  if (main === undefined || isReadOnly(main))
    throw new Error(`image.default_store is ${config.default_store}, which is not a store that can be written to.`)
  for (const [id, settings] of Object.entries(config.stores))
    for (const name of needed[settings.type])
      if (!settings[name]) throw new Error(`The image store ${id} is of type ${settings.type} and needs a ${name}.`)
  const made = new Map<string, Promise<string>>()
  const configured = (id: string) => (id === 'file' ? config.directory : config.stores[id]?.directory)
  let temporary = ''
  const make = async (id: string) => {
    const path = configured(id)
    if (path) await mkdir(path, { recursive: true, mode: 0o700 })
    else temporary = await mkdtemp(join(tmpdir(), 'nephos-images-'))
    return path || temporary
  }
  const directoryOf = once(made, make)
  const opened = new Map<string, Promise<BlobStore & Partial<AsyncDisposable>>>()
  const open = once(opened, async id => {
    const settings = config.stores[id]
    if (settings?.type === 's3') {
      const { s3Store } = await import('./s3-store.ts')
      return s3Store(env.clock, s3SettingsOf(settings))
    }
    const directory = await directoryOf(id)
    return settings?.type === 'chunks' ? chunkStore(directory) : fileStore(directory)
  })
  return {
    list,
    main,
    writable: list.filter(store => !isReadOnly(store)),
    find,
    directoryOf,
    open,
    classOf(store, word) {
      const settings = config.stores[store]
      if (settings?.type !== 's3' || word === undefined) return undefined
      const { storage_classes } = s3SettingsOf(settings)
      if (Object.hasOwn(storage_classes, word)) return storage_classes[word]
      const words = Object.keys(storage_classes).join(', ')
      throw new BadRequest(`The store ${store} has no store_class ${word}: it is one of ${words}.`)
    },
    urlOf: (store, blob) => {
      const settings = config.stores[store]
      if (settings?.type === 's3') return s3Url(s3SettingsOf(settings), blob)
      return `file://${join(configured(store) || temporary, blob)}`
    },
    busy: new Set(),
    async dispose() {
      for (const store of await Promise.allSettled(opened.values()))
        if (store.status === 'fulfilled') await store.value[Symbol.asyncDispose]?.()
      await Promise.allSettled(made.values())
      if (temporary) await rm(temporary, { recursive: true, force: true })
    },
  }
})

/** By type, which settings a store cannot do without. */
const needed = {
  file: ['directory'],
  chunks: ['directory'],
  watched: ['directory'],
  http: [],
  s3: ['endpoint', 'bucket', 'access_key', 'secret_key'],
} as const

/** What is made by `make` for each name is made when first asked for, and tried again when that failed: a share may not be mounted yet. */
function once<T>(made: Map<string, Promise<T>>, make: (id: string) => Promise<T>): (id: string) => Promise<T> {
  return id => {
    const known = made.get(id)
    if (known) return known
    const making = make(id)
    made.set(id, making)
    making.catch(() => made.delete(id))
    return making
  }
}

/** Where bytes on their way to a store are written first: they are looked at before they are anywhere else. */
export const landingOf = (env: Env, store: string): string =>
  storesOf(env).find(store)?.type === 'file' ? store : stagingStore

/** Whether reading from it takes a network, so that a copy is worth keeping near. */
export const isFar = (env: Env, store: string): boolean =>
  ['http', 's3'].includes(storesOf(env).find(store)?.type ?? 'http')

export const isReadOnly = ({ type }: Store): boolean => type === 'http' || type === 'watched'

export const pathIn = async (env: Env, store: string, blob: string) =>
  join(await storesOf(env).directoryOf(store), blob)

/** How much of a quota a byte takes in the stores where it is not as much as elsewhere. */
export const quotaWeights = (env: Env): Record<string, number> =>
  Object.fromEntries(
    storesOf(env)
      .list.filter(store => store.quota_weight !== 1)
      .map(store => [store.id, store.quota_weight]),
  )

export const quotaWeight = (env: Env, store: string): number => storesOf(env).find(store)?.quota_weight ?? 1
