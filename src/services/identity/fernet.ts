/** Fernet (github.com/fernet/spec): AES-128-CBC and HMAC-SHA256, version 0x80; written without padding, as tokens travel. */
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'

const version = 0x80
const headerSize = 1 + 8 + 16
const macSize = 32

/** The two halves of a 32-byte key: signing, then encryption. */
function halves(key: Buffer): { signing: Buffer; encryption: Buffer } {
  if (key.length !== 32) throw new Error('A Fernet key has 32 bytes.')
  return { signing: key.subarray(0, 16), encryption: key.subarray(16) }
}

/** Encrypts and signs; `seconds` since the epoch, `iv` 16 unpredictable bytes. */
export function seal(key: Buffer, plain: Uint8Array, seconds: number, iv: Buffer): string {
  const { signing, encryption } = halves(key)
  const header = Buffer.alloc(9)
  header[0] = version
  header.writeBigUInt64BE(BigInt(seconds), 1)
  const cipher = createCipheriv('aes-128-cbc', encryption, iv)
  const signed = Buffer.concat([header, iv, cipher.update(plain), cipher.final()])
  return Buffer.concat([signed, createHmac('sha256', signing).update(signed).digest()]).toString('base64url')
}

/** The bytes of a token's text, or undefined when it is not canonical: no second spelling of a token may pass. */
function bytesOf(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/** What was sealed by one of the keys, or undefined. */
export function open(keys: readonly Buffer[], text: string): { plain: Buffer; seconds: number } | undefined {
  const bytes = bytesOf(text)
  if (!bytes || bytes.length < headerSize + 16 + macSize || bytes[0] !== version) return undefined
  if ((bytes.length - headerSize - macSize) % 16 !== 0) return undefined
  const signed = bytes.subarray(0, -macSize)
  const mac = bytes.subarray(-macSize)
  for (const key of keys) {
    const { signing, encryption } = halves(key)
    if (!timingSafeEqual(createHmac('sha256', signing).update(signed).digest(), mac)) continue
    const decipher = createDecipheriv('aes-128-cbc', encryption, signed.subarray(9, headerSize))
    try {
      const plain = Buffer.concat([decipher.update(signed.subarray(headerSize)), decipher.final()])
      return { plain, seconds: Number(signed.readBigUInt64BE(1)) }
    } catch {
      return undefined
    }
  }
  return undefined
}
