/** What a parser of a disk format gets and gives. Parsers read a bounded part of a hostile file and open nothing else. */

/** The bytes of an image. */
export interface Bytes {
  readonly size: number
  /** Up to `length` bytes; fewer at the end of the file. */
  read(offset: number, length: number): Promise<Buffer>
}

export interface Limits {
  max_virtual_size: number
  /** Content of another format than the declared one is taken when it is safe. */
  any_format?: boolean
  /** What is not safe is taken too, and said to be so. */
  keep_unsafe?: boolean
}

/** The content is not acceptable; the message ends a sentence about the image. */
export class Refused extends Error {}

export function refuse(why: string): never {
  throw new Refused(why)
}

export interface Format {
  name: string
  /** Whether the content is of this format; by its signature alone. */
  detect(bytes: Bytes, head: Buffer): boolean | Promise<boolean>
  /** The size of the disk inside in bytes. Throws `Refused` for what is unsafe or broken. */
  inspect(bytes: Bytes, limits: Limits): Promise<number>
}

/** An unsigned 64-bit number; refuses what JavaScript cannot count exactly, which no real image needs. */
export function u64(buffer: Buffer, offset: number, order: 'be' | 'le'): number {
  const value = order === 'be' ? buffer.readBigUInt64BE(offset) : buffer.readBigUInt64LE(offset)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) refuse('a size or offset in its header is absurd')
  return Number(value)
}

/** Exactly `length` bytes, or a refusal. */
export async function exactly(bytes: Bytes, offset: number, length: number): Promise<Buffer> {
  const found = await bytes.read(offset, length)
  if (found.length < length) refuse('it ends within its header')
  return found
}

export function checkVirtualSize(size: number, limits: Limits): number {
  if (size > limits.max_virtual_size)
    refuse(`its disk of ${size} bytes is larger than the limit of ${limits.max_virtual_size}`)
  return size
}
