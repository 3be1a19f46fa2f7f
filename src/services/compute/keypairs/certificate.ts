/** A certificate for its owner to log in to Windows guests with: self-signed, together with its key as PKCS#12. */
import { createHash, createHmac, generateKeyPair, type KeyObject, randomBytes, sign } from 'node:crypto'
import { promisify } from 'node:util'

/** ASN.1 in its distinguished encoding. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const size = content.length
  const bytes = size < 0x80 ? [] : size < 0x100 ? [size] : [size >> 8, size & 0xff]
  return Buffer.concat([Buffer.from([tag, bytes.length === 0 ? size : 0x80 | bytes.length, ...bytes]), content])
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts)
const set = (...parts: Buffer[]) => der(0x31, ...parts)
const octets = (content: Buffer) => der(0x04, content)
const bits = (content: Buffer) => der(0x03, Buffer.from([0]), content)
const utf8 = (text: string) => der(0x0c, Buffer.from(text))
const nothing = der(0x05)
/** A part with a number of its own, around another. */
const explicit = (number: number, ...parts: Buffer[]) => der(0xa0 | number, ...parts)
const integer = (bytes: Buffer) => der(0x02, bytes[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)

function oid(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number) as [number, number, ...number[]]
  const bytes = [first * 40 + second]
  for (const part of rest) {
    const septets = [part & 0x7f]
    for (let left = part >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80)
    bytes.push(...septets)
  }
  return der(0x06, Buffer.from(bytes))
}

/** Of which only the end of the year 2049 would need another form. */
const time = (ms: number) => der(0x17, Buffer.from(`${new Date(ms).toISOString().slice(2, 19).replace(/[-T:]/g, '')}Z`))

const rsaWithSha256 = sequence(oid('1.2.840.113549.1.1.11'), nothing)
const yearMs = 365 * 24 * 3_600_000

/** Client authentication for the user `name@localhost`, as WinRM reads it. */
function extensions(name: string): Buffer {
  const clientAuthentication = sequence(oid('2.5.29.37'), octets(sequence(oid('1.3.6.1.5.5.7.3.2'))))
  const principal = explicit(0, oid('1.3.6.1.4.1.311.20.2.3'), explicit(0, utf8(`${name}@localhost`)))
  return explicit(3, sequence(clientAuthentication, sequence(oid('2.5.29.17'), octets(sequence(principal)))))
}

function selfSigned(name: string, publicKey: KeyObject, privateKey: KeyObject, now: number): Buffer {
  const subject = sequence(set(sequence(oid('2.5.4.3'), utf8(name))))
  const serial = randomBytes(16)
  serial[0]! &= 0x7f
  serial[0]! |= 0x01
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    rsaWithSha256,
    subject,
    sequence(time(now), time(now + 10 * yearMs)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    extensions(name),
  )
  return sequence(body, rsaWithSha256, bits(sign('sha256', body, privateKey)))
}

/** The key and the certificate in one file, with an empty password. */
function pkcs12(certificate: Buffer, privateKey: KeyObject): Buffer {
  const pkcs = '1.2.840.113549.1'
  const bag = (type: number, value: Buffer) => sequence(oid(`${pkcs}.12.10.1.${type}`), explicit(0, value))
  const data = (content: Buffer) => sequence(oid(`${pkcs}.7.1`), explicit(0, octets(content)))
  const key = bag(1, privateKey.export({ type: 'pkcs8', format: 'der' }))
  const shown = bag(3, sequence(oid(`${pkcs}.9.22.1`), explicit(0, octets(certificate))))
  const contents = sequence(data(sequence(key)), data(sequence(shown)))
  const salt = randomBytes(8)
  const sha1 = sequence(oid('1.3.14.3.2.26'), nothing)
  const mac = sequence(sequence(sha1, octets(macOf(contents, salt))), octets(salt), integer(Buffer.from([8, 0])))
  return sequence(integer(Buffer.from([3])), data(contents), mac)
}

/** PKCS#12's own key derivation (RFC 7292, appendix B) for its integrity check, for the empty password and 2048 rounds. */
function macOf(contents: Buffer, salt: Buffer): Buffer {
  const repeated = (bytes: Buffer) => Buffer.alloc(64, bytes)
  let key = Buffer.concat([Buffer.alloc(64, 3), repeated(salt), Buffer.alloc(64)])
  for (let round = 0; round < 2048; round++) key = createHash('sha1').update(key).digest()
  return createHmac('sha1', key).update(contents).digest()
}

/** The certificate as PEM; the private half is PKCS#12 in base64. `now` is in milliseconds. */
export async function generateCertificate(
  name: string,
  now: number,
): Promise<{ private_key: string; public_key: string }> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const certificate = selfSigned(name, publicKey, privateKey, now)
  const lines = certificate.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return {
    public_key: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    private_key: pkcs12(certificate, privateKey).toString('base64'),
  }
}
