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
  let counter = 0
  const block = () => createHash('sha256').update(`${seed}:${counter++}`).digest()
  function bytes(size: number): Buffer {
    const parts: Buffer[] = []
    for (let left = size; left > 0; left -= 32) parts.push(block().subarray(0, Math.min(left, 32)))
    return Buffer.concat(parts)
  }
  function hex(): string {
    const b = bytes(16)
    b[6] = (b[6]! & 0x0f) | 0x40
    b[8] = (b[8]! & 0x3f) | 0x80
    return b.toString('hex')
  }
  return {
    hex,
    bytes,
    uuid: () => hex().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    random: () => block().readUInt32BE(0) / 2 ** 32,
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
