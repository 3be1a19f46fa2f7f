/** What a store that keeps the bytes of images can do. A blob appears in it whole or not at all, and never changes. */
import type { Readable } from 'node:stream'

export interface Range {
  start: number
  /** The last byte, itself included. */
  end: number
}

export interface Put {
  /** Called whenever a part has arrived. */
  progressed?: (() => void) | undefined
  signal?: AbortSignal | undefined
  /** How the store is to keep it, in the store's own words. */
  storage_class?: string | undefined
}

/** Brings a blob of so many bytes from one store to another, none of which passes here. */
export type Copier = (blob: string, size: number, options?: Put) => Promise<void>

export interface BlobStore {
  /** Takes the bytes of a file of this machine. Safe to do again. */
  put(blob: string, file: string, options?: Put): Promise<void>
  /** What has the store copy from another by itself; undefined when it cannot. */
  copier?(from: BlobStore): Copier | undefined
  /** Throws when it has none of that name. */
  open(blob: string, range?: Range, signal?: AbortSignal): Promise<Readable>
  /** One that is not there is fine. */
  remove(blob: string): Promise<void>
  /** What is there, what is only half there as `….part` included, and when it was last written, in milliseconds. */
  list(): Promise<{ name: string; modified: number }[]>
}

/** A store does not do what it is asked. The message is for operators and holds nothing secret. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
}
