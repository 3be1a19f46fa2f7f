/** Randomness, injected: ids, secrets and choices. Only this file reads the real source of it. */
import { createHash, randomBytes as cryptoRandomBytes, randomUUID } from 'node:crypto'

export interface Ids {
  /** A version 4 UUID with dashes. */
  uuid(): string
  /** A UUID without dashes, as Keystone writes ids. */
  hex(): string
  /** Unpredictable bytes, for secrets. */
  bytes(size: number): Buffer
  /** A number in [0, 1), for jitter and choices. Not for secrets. */
  random(): number
}

export function systemIds(): Ids {
  return {
    uuid: () => randomUUID(),
    hex: () => randomUUID().replaceAll('-', ''),
    bytes: size => cryptoRandomBytes(size),
    random: () => Math.random(),
  }
}

/** Ids that repeat for the same seed: for simulation and tests. Never for a real cloud. */
export function seededIds(seed: number | string): Ids {
  const next = generator(seed)
  function bytes(size: number): Buffer {
    const made = Buffer.alloc(size)
    for (let at = 0; at < size; at++) made[at] = next() >>> 24
    return made
  }
  const word = () => next().toString(16).padStart(8, '0')
  function hex(): string {
    const made = word() + word() + word() + word()
    const variant = (8 | (Number.parseInt(made[16]!, 16) & 3)).toString(16)
    return `${made.slice(0, 12)}4${made.slice(13, 16)}${variant}${made.slice(17)}`
  }
  return {
    hex,
    bytes,
    uuid: () => hex().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    random: () => next() / 2 ** 32,
  }
}

/** Small Fast Counter (sfc32): 32 bits at a time, begun from the seed's hash. */
function generator(seed: number | string): () => number {
  const start = createHash('sha256').update(String(seed)).digest()
  let [a, b, c, d] = [start.readInt32LE(0), start.readInt32LE(4), start.readInt32LE(8), 1]
  return () => {
    const sum = (a + b + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    c |= 0
    return sum >>> 0
  }
}

const passwordAlphabet = 'abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789'

/** A password of unambiguous letters and digits (about 5.7 bits a character). */
export function randomPassword(ids: Ids, length = 20): string {
  let out = ''
  while (out.length < length) {
    for (const byte of ids.bytes(length)) {
      // Bytes past the last whole multiple are skipped, so that every letter is equally likely.
      if (byte < 216 && out.length < length) out += passwordAlphabet[byte % 54]
    }
  }
  return out
}
