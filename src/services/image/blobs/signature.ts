/** Checks the signature of an image whose properties carry one, with certificates that administrators have put into a folder. */
import { constants, createVerify, type KeyObject, X509Certificate } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, messageOf } from '#kernel/errors.ts'
import { isUuid } from '#kernel/schema/validate.ts'
import { imageConfig } from '../config.ts'
import type { Image } from '../images/image.ts'

const hashes: Record<string, string> = {
  'SHA-224': 'sha224',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
}

/** Throws 400 when the bytes in the file are not those that were signed. Images without a whole signature pass. */
export async function checkSignature(ctx: Ctx, { id, properties }: Image, path: string): Promise<void> {
  const folder = ctx.config.of(imageConfig).certificates_directory
  const signature = properties.img_signature
  const hash_method = properties.img_signature_hash_method
  const key_type = properties.img_signature_key_type
  const certificate = properties.img_signature_certificate_uuid
  if (folder === '' || !signature || !hash_method || !key_type || !certificate) return
  try {
    const hash = hashes[hash_method]
    if (!hash) throw new Error(`the hash method ${hash_method} is not known`)
    const key = keyOf(ctx, await certificateOf(folder, certificate), key_type)
    const verify = createVerify(hash)
    for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 })) verify.update(piece)
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }
    const how = key_type === 'RSA-PSS' ? { key, ...pss } : { key }
    if (!verify.verify(how, Buffer.from(signature, 'base64'))) throw new Error('the signature does not match')
  } catch (cause) {
    throw new BadRequest(`Signature verification failed for image ${id}: ${messageOf(cause)}`, { cause })
  }
}

async function certificateOf(folder: string, id: string): Promise<X509Certificate> {
  if (!isUuid(id)) throw new Error('the certificate is not named by a UUID')
  const pem = await readFile(join(folder, `${id.toLowerCase()}.pem`)).catch(() => undefined)
  if (!pem) throw new Error(`there is no certificate ${id}`)
  return new X509Certificate(pem)
}

/** The key of a certificate that is in force and of the kind that the image says. */
function keyOf(ctx: Ctx, certificate: X509Certificate, key_type: string): KeyObject {
  const now = ctx.clock.now()
  if (now < Date.parse(certificate.validFrom)) throw new Error('the certificate is not valid yet')
  if (now > Date.parse(certificate.validTo)) throw new Error('the certificate has expired')
  const key = certificate.publicKey
  const kinds = key_type === 'RSA-PSS' ? ['rsa', 'rsa-pss'] : key_type.startsWith('ECC_') ? ['ec'] : ['dsa']
  if (!kinds.includes(key.asymmetricKeyType ?? '')) throw new Error(`the certificate has no key of type ${key_type}`)
  return key
}
