/** Seals what goes over a bus that others may listen on: AES-256-GCM with the cloud's key, bound to where the message goes. */
import { createCipheriv, createDecipheriv, hkdfSync, randomFillSync } from 'node:crypto'

const version = 1
const nonceBytes = 12
const tagBytes = 16
/** How much longer a message is when it is sealed. */
export const sealBytes = 1 + nonceBytes + tagBytes

export interface Seal {
  seal(text: string, about: string): Uint8Array
  /** Throws for what none of the keys has sealed for the same `about`. */
  open(bytes: Uint8Array, about: string): string
}

/** `words`: the keys, parted by spaces. The first seals, all of them open: a new key comes last, then first, then alone. */
export function sealBy(words: string): Seal {
  const keys = words.split(/\s+/).filter(Boolean).map(keyOf)
  return {
    seal(text, about) {
      const nonce = randomFillSync(Buffer.alloc(nonceBytes))
      const cipher = createCipheriv('aes-256-gcm', keys[0]!, nonce).setAAD(Buffer.from(about))
      const sealed = [cipher.update(text, 'utf8'), cipher.final()]
      return Buffer.concat([Buffer.of(version), nonce, cipher.getAuthTag(), ...sealed])
    },
    open(bytes, about) {
      if (bytes[0] === version && bytes.length >= sealBytes)
        for (const key of keys) {
          const text = opened(key, bytes, about)
          if (text !== undefined) return text
        }
      throw new Error('a message on the bus is not sealed by a key of this cloud (cloud.bus_key): it is not heard')
    },
  }
}

/** Without a key: text as it is. */
export const unsealedBus: Seal = {
  seal: text => Buffer.from(text),
  open(bytes) {
    if (bytes[0] === version) throw new Error('a message on the bus is sealed, and this process has no cloud.bus_key')
    return Buffer.from(bytes).toString()
  },
}

const keyOf = (word: string): Buffer => Buffer.from(hkdfSync('sha256', word, '', 'nephos bus', 32))

function opened(key: Buffer, bytes: Uint8Array, about: string): string | undefined {
  const nonce = bytes.subarray(1, 1 + nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(about))
  decipher.setAuthTag(bytes.subarray(1 + nonceBytes, sealBytes))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(sealBytes)), decipher.final()]).toString()
  } catch {
    return undefined
  }
}
