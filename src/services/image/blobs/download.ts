/** Gives the bytes of an image, whole or a part of them. */
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Env } from '#kernel/context.ts'
import { Fault } from '#kernel/errors.ts'
import { blobsOf, readBlob } from './blob.ts'

export interface Range {
  start: number
  /** The last byte, itself included. */
  end: number
}

/** The part that a Range header asks for; undefined for the whole. Throws 416 for one outside of the image. */
export function rangeOf(header: string | undefined, size: number): Range | undefined {
  if (header === undefined) return undefined
  const match = /^bytes=(\d*)-(\d*)$/.exec(header.trim())
  if (!match || (match[1] === '' && match[2] === '')) throw outside(header, size)
  const [, first, last] = match as unknown as [string, string, string]
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (start > end || start >= size) throw outside(header, size)
  return { start, end }
}

function outside(header: string, size: number): Fault {
  return new Fault(416, 'Requested Range Not Satisfiable', `The requested range ${header} is not within the image.`, {
    headers: { 'content-range': `bytes */${size}` },
  })
}

export async function bytesOf(env: Env, blob: string, range?: Range, signal?: AbortSignal): Promise<Readable> {
  return readBlob(join(await blobsOf(env).directory(), blob), range, signal)
}
