/** Who a client is by the certificate that it showed to the proxy in front (the method `external`). */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Values } from '#kernel/config/section.ts'
import type { Ctx } from '#kernel/context.ts'
import { messageOf, Unauthorized } from '#kernel/errors.ts'
import { identityConfig } from '../config.ts'

type CertificateSettings = Values<typeof identityConfig>['client_certificates']

const longest = 16_384

const settingsOf = (ctx: Ctx): CertificateSettings => ctx.config.of(identityConfig).client_certificates

/** Whether there are logins by certificates at all. */
export const takesCertificates = (ctx: Ctx): boolean => settingsOf(ctx).header !== ''

/** PEM, also with its lines joined by spaces or URL-encoded, or DER in base64. */
function read(text: string): X509Certificate {
  if (text.length > longest) throw new Error('the certificate is too long')
  const plain = text.includes('%') ? decodeURIComponent(text) : text
  const base64 = plain.replace(/-----(BEGIN|END) CERTIFICATE-----/g, '').replace(/\s/g, '')
  return new X509Certificate(Buffer.from(base64, 'base64'))
}

async function authorities({ authority_files }: CertificateSettings): Promise<X509Certificate[]> {
  const texts = await Promise.all(authority_files.map(file => readFile(file, 'utf8')))
  const blocks = texts.flatMap(text => text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [])
  return blocks.map(block => new X509Certificate(block))
}

function checkTrusted(ctx: Ctx, shown: X509Certificate, trusted: readonly X509Certificate[]): void {
  const now = ctx.clock.now()
  const isDated = (one: X509Certificate) => Date.parse(one.validFrom) <= now && now < Date.parse(one.validTo)
  if (!isDated(shown)) throw new Error('it is not yet good, or no longer')
  const signers = trusted.filter(one => one.ca && isDated(one))
  if (!signers.some(one => shown.checkIssued(one) && shown.verify(one.publicKey)))
    throw new Error('nobody known has signed it')
}

/** The parts of a subject, each of which there must be once to be believed. */
function fieldsOf(subject: string): Map<string, string | undefined> {
  const fields = new Map<string, string | undefined>()
  for (const line of subject.split('\n')) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(line) ?? []
    if (name !== undefined) fields.set(name, fields.has(name) ? undefined : value)
  }
  return fields
}

/** Name and domain of who showed the certificate. Throws `Unauthorized` and logs why when it lets nobody in. */
export async function namedByCertificate(
  ctx: Ctx,
  { headers, source }: { headers: Record<string, string | undefined>; source: string },
): Promise<{ name: string; domain: { name: string } }> {
  const settings = settingsOf(ctx)
  const text = settings.header === '' ? undefined : headers[settings.header.toLowerCase()]
  // An address of IPv4 that came over a socket of IPv6.
  if (!text || !settings.proxies.includes(source.replace(/^::ffff:/, ''))) throw new Unauthorized()
  try {
    const shown = read(text)
    checkTrusted(ctx, shown, await authorities(settings))
    const fields = fieldsOf(shown.subject)
    const name = fields.get(settings.name_field)
    const domain = settings.domain_field === '' ? settings.domain : fields.get(settings.domain_field)
    if (!name || !domain) throw new Error(`it does not say once who that is: ${JSON.stringify(shown.subject)}`)
    return { name, domain: { name: domain } }
  } catch (error) {
    ctx.log.info({ reason: messageOf(error) }, 'a login by a certificate was refused')
    throw new Unauthorized(undefined, { cause: error })
  }
}
