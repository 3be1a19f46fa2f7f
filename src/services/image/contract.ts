/** What image offers the other services. */
import type { Readable } from 'node:stream'
import type { Ctx, Env } from '#kernel/context.ts'
import type * as computeApi from './compute-proxies.ts'

/** An image as other services need it. */
export interface ImageInfo {
  id: string
  name: string | null
  status: string
  owner: string | null
  disk_format: string | null
  container_format: string | null
  size: number | null
  virtual_size: number | null
  /** The image that its bytes are the changes to; null when they are a whole disk. */
  base_image_id: string | null
  /** Why no server may be made of its bytes; null when nothing is known against it. */
  unacceptable: string | null
  min_disk: number
  min_ram: number
  os_hash_algo: string | null
  os_hash_value: string | null
  created_at: string
  updated_at: string
  visibility: string
  tags: string[]
  properties: Record<string, string>
}

export interface NewImage {
  id?: string
  name: string
  disk_format: string
  container_format: string
  visibility: 'public' | 'private' | 'shared' | 'community'
  min_disk?: number
  min_ram?: number
  properties?: Record<string, string>
}

/** An image whose bytes are a file of this machine. */
export interface ImageFile {
  name: string
  path: string
  disk_format: string
  /** By default `bare`. */
  container_format?: string
  min_disk?: number
  min_ram?: number
  properties?: Record<string, string>
}

export interface ImageContract {
  /** What compute's API once had of images; each acts as the caller. */
  computeApi: typeof computeApi
  /** An image that the caller may see; throws `NotFound` in Glance's words. */
  get(ctx: Ctx, id: string): Promise<ImageInfo>
  /** The same for many, by id; those that do not exist or may not be seen are absent. */
  many(ctx: Ctx, ids: string[]): Promise<Map<string, ImageInfo>>
  /** Images of the caller's project that have all these properties, newest first. */
  withProperties(ctx: Ctx, properties: Record<string, string>): Promise<ImageInfo[]>
  /** The active public image of that name, the oldest if there are several. */
  findPublic(ctx: Ctx, name: string): Promise<ImageInfo | undefined>
  /** What an image stands on, whoever may see that: the nearest first, the last one a whole disk. */
  basesOf(ctx: Ctx, image: Pick<ImageInfo, 'base_image_id'>): Promise<ImageInfo[]>
  /** The stored bytes of an active image, or of one that an active one stands on, for hosts. */
  open(env: Env, id: string, signal?: AbortSignal): Promise<Readable>
  /** The same from a store, though it be cached. */
  openFromStore(env: Env, id: string): Promise<Readable>
  /** A queued image, owned by the caller's project. */
  create(ctx: Ctx, image: NewImage): Promise<ImageInfo>
  /**
   * Stores the bytes of a queued image, checks and activates it; on failure it is queued again and this throws. `base`: the bytes are only what
   * changed since that image, which stays as long as this one. Not to be called in a transaction.
   */
  upload(ctx: Ctx, id: string, bytes: Readable, base?: string): Promise<ImageInfo>
  /** Deletes an image that was made by `create`; unknown ids are fine. Throws `Conflict` while others stand on it. */
  remove(ctx: Ctx, id: string): Promise<void>
  /**
   * A public, active image of that name; made of the file when there is none. The image appears with its bytes or not at all, and of
   * several callers one makes it. Not to be called in a transaction.
   */
  ensureFromFile(ctx: Ctx, file: ImageFile): Promise<ImageInfo>
}

declare module '#kernel/context.ts' {
  interface Contracts {
    image: ImageContract
  }
}
