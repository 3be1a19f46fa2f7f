/** What is kept of bytes that go by, so that it can be told what they are: their beginning and their end. */
import { type Contents, type Declared, inspect } from './formats/format.ts'
import type { Bytes, Limits } from './formats/parser.ts'

const headBytes = 4 * 1024 * 1024
const tailBytes = 64 * 1024

/** Of the middle, which was not kept. */
class NotKept extends Error {}

export function sample() {
  const head: Buffer[] = []
  let [kept, size] = [0, 0]
  let tail = Buffer.alloc(0)

  function bytes(): Bytes {
    const start = Buffer.concat(head)
    return {
      size,
      async read(offset, length) {
        const end = Math.min(offset + length, size)
        if (end <= start.length) return start.subarray(offset, end)
        const from = offset - (size - tail.length)
        if (from < 0) throw new NotKept()
        return tail.subarray(from, from + length)
      },
    }
  }

  return {
    add(piece: Buffer): void {
      size += piece.length
      if (kept < headBytes) {
        const part = Buffer.from(piece.subarray(0, headBytes - kept))
        head.push(part)
        kept += part.length
      }
      tail = Buffer.concat([tail, piece.subarray(-tailBytes)]).subarray(-tailBytes)
    },
    /** Null where what would have to be looked at was not kept. Throws `Refused`. */
    async contents(declared: Declared, limits: Limits): Promise<Contents | null> {
      try {
        return await inspect(bytes(), declared, limits)
      } catch (error) {
        if (error instanceof NotKept) return null
        throw error
      }
    },
  }
}
