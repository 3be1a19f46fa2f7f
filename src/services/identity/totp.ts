/** One-time codes by time (RFC 6238): six digits, 30 seconds, SHA-1, as authenticator apps have them. Pure. */
import { createHmac, timingSafeEqual } from 'node:crypto'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The bytes of base32 text, with or without padding; undefined when it is none. */
export function base32(text: string): Buffer | undefined {
  const letters = text.trim().toUpperCase().replace(/=+$/, '')
  if (letters === '') return undefined
  const bytes: number[] = []
  let [bits, held] = [0, 0]
  for (const letter of letters) {
    const value = alphabet.indexOf(letter)
    if (value < 0) return undefined
    bits = ((bits << 5) | value) & 0xfff
    held += 5
    if (held < 8) continue
    held -= 8
    bytes.push((bits >> held) & 0xff)
  }
  return Buffer.from(bytes)
}

/** The code of the 30-second window in which `seconds` since the epoch is. */
export function totpCode(secret: Buffer, seconds: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)))
  const digest = createHmac('sha1', secret).update(counter).digest()
  const number = digest.readUInt32BE(digest[19]! & 0xf) & 0x7fffffff
  return String(number % 1_000_000).padStart(6, '0')
}

/** Whether the code is that of the window of `seconds`, or of one of some windows before it. */
export function isTotpCode(code: string, secret: Buffer, seconds: number, windowsBefore: number): boolean {
  if (!/^\d{6}$/.test(code)) return false
  const given = Buffer.from(code)
  let right = false
  for (let before = 0; before <= windowsBefore && before * 30 <= seconds; before++) {
    if (timingSafeEqual(Buffer.from(totpCode(secret, seconds - before * 30)), given)) right = true
  }
  return right
}
