/** A key pair of a user: its row, and the checking, fingerprinting and making of keys. */
import { createHash, generateKeyPair, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import { BadRequest } from '#kernel/errors.ts'

export interface KeypairRow {
  id: number
  user_id: string
  name: string
  type: 'ssh' | 'x509'
  public_key: string
  fingerprint: string
  created_at: string
}

const invalid = (reason: string, cause?: unknown) => new BadRequest(`Keypair data is invalid: ${reason}`, { cause })

/** The strings of SSH's wire format; undefined when the bytes are not made of them. */
function wireStrings(bytes: Buffer): Buffer[] | undefined {
  const found: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) return undefined
    const length = bytes.readUInt32BE(at)
    if (at + 4 + length > bytes.length) return undefined
    found.push(bytes.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return found
}

const curves: Record<string, number> = {
  'ecdsa-sha2-nistp256': 65,
  'ecdsa-sha2-nistp384': 97,
  'ecdsa-sha2-nistp521': 133,
}

/** Whether the parts of a key are what its algorithm wants. */
function wellFormed(algorithm: string, parts: Buffer[]): boolean {
  const sizes = parts.map(part => part.length)
  switch (algorithm) {
    case 'ssh-rsa':
      return parts.length === 2 && sizes[0]! <= 8 && sizes[1]! >= 128 && sizes[1]! <= 2049
    case 'ssh-dss':
      return parts.length === 4
    case 'ssh-ed25519':
      return parts.length === 1 && sizes[0] === 32
    case 'sk-ssh-ed25519@openssh.com':
      return parts.length === 2 && sizes[0] === 32
    case 'sk-ecdsa-sha2-nistp256@openssh.com':
      return parts.length === 3 && sizes[1] === 65
    default:
      return parts.length === 2 && sizes[1] === curves[algorithm]
  }
}

/** MD5 of the key, as `ssh-keygen -E md5` prints it. Throws for what is no public key, or more than one line. */
function sshFingerprint(publicKey: string): string {
  const [, algorithm = '', base64 = ''] =
    /^([\w@.-]+) ([A-Za-z0-9+/]+={0,2})(?: [^\r\n]*)?$/.exec(publicKey.trim()) ?? []
  const blob = Buffer.from(base64, 'base64')
  const [name, ...parts] = wireStrings(blob) ?? []
  if (name?.toString('latin1') !== algorithm || !wellFormed(algorithm, parts))
    throw invalid('failed to generate fingerprint')
  return createHash('md5')
    .update(blob)
    .digest('hex')
    .replace(/..(?=.)/g, '$&:')
}

function x509Fingerprint(certificate: string): string {
  try {
    return new X509Certificate(certificate).fingerprint.toLowerCase()
  } catch (cause) {
    throw invalid('failed to generate X509 fingerprint. Error message: no PEM certificate', cause)
  }
}

export function fingerprintOf(type: KeypairRow['type'], publicKey: string): string {
  return type === 'x509' ? x509Fingerprint(publicKey) : sshFingerprint(publicKey)
}

function wireString(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A positive number in SSH's wire format: a first bit of 1 would mean negative. */
function wireNumber(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url')
  return wireString(bytes[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
}

/** Makes an RSA key. The private half is in PEM, as every SSH client reads it. */
export async function generateSshKey(): Promise<{ private_key: string; public_key: string }> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const { e = '', n = '' } = publicKey.export({ format: 'jwk' })
  const blob = Buffer.concat([wireString(Buffer.from('ssh-rsa')), wireNumber(e), wireNumber(n)])
  return {
    private_key: privateKey.export({ type: 'pkcs1', format: 'pem' }) as string,
    public_key: `ssh-rsa ${blob.toString('base64')} Generated-by-Nova`,
  }
}
