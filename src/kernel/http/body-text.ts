/** The body of a raw operation, as text. */
import type { Readable } from 'node:stream'
import { PayloadTooLarge } from '../errors.ts'

/** Throws `PayloadTooLarge` for more than `mostBytes`. */
export async function bodyText(stream: Readable, mostBytes: number): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of stream as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > mostBytes) throw new PayloadTooLarge()
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
