/** The stores that hold the bytes of images: folders of this machine, and web servers that are only read from. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Env, perCloud } from '#kernel/context.ts'
import { imageConfig } from './config.ts'

export interface Store {
  id: string
  type: 'file' | 'http'
  description: string
  /** Of several stores that hold an image, the heaviest is read from. */
  weight: number
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
  /** The address of a file as the API shows it. */
  urlOf(store: string, blob: string): string
  /** Names of files that this process is writing. */
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
    { id: 'file', type: 'file', description: 'Files on a disk of the cloud', weight: config.weight },
    ...Object.entries(config.stores).map(([id, { type, description = '', weight = 0 }]) => ({
      ...{ id, type, description, weight },
    })),
  ]
  const find = (id: string) => list.find(store => store.id === id)
  const main = find(config.default_store)
  if (main?.type !== 'file')
    throw new Error(`image.default_store is ${config.default_store}, which is not a store that can be written to.`)
  for (const [id, { type, directory }] of Object.entries(config.stores))
    if (type === 'file' && !directory) throw new Error(`The image store ${id} needs a directory.`)
  const made = new Map<string, Promise<string>>()
  const configured = (id: string) => (id === 'file' ? config.directory : config.stores[id]?.directory)
  let temporary = ''
  const make = async (id: string) => {
    const path = configured(id)
    if (path) await mkdir(path, { recursive: true, mode: 0o700 })
    else temporary = await mkdtemp(join(tmpdir(), 'nephos-images-'))
    return path || temporary
  }
  return {
    list,
    main,
    writable: list.filter(store => store.type === 'file'),
    find,
    directoryOf(id) {
      const known = made.get(id)
      if (known) return known
      const making = make(id)
      made.set(id, making)
      return making
    },
    urlOf: (store, blob) => `file://${join(configured(store) || temporary, blob)}`,
    busy: new Set(),
    async dispose() {
      await Promise.allSettled(made.values())
      if (temporary) await rm(temporary, { recursive: true, force: true })
    },
  }
})

export const pathIn = async (env: Env, store: string, blob: string) =>
  join(await storesOf(env).directoryOf(store), blob)
