/** A SAML 2.0 response, looked at by a service provider: what it says, when it is genuine, fresh, meant for us, and here for the first time. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { messageOf, Unauthorized } from '#kernel/errors.ts'
import { identityConfig } from '../config.ts'
import type { Saml2Settings } from './config.ts'
import type { Way } from './federation.ts'
import type { Said } from './mapped.ts'
import { type ProviderSession, usedAssertions } from './store.ts'
import { xmlLibraries } from './xml-libraries.ts'

const skewMs = 5000
const most = 5000
const longest = 8192

/** Undefined when the way is not one of SAML. */
export function saml2Settings(ctx: Ctx, { idp_id, protocol_id }: Way): Saml2Settings | undefined {
  const { saml2 } = ctx.config.of(identityConfig).federation
  const settings = Object.hasOwn(saml2, idp_id) ? saml2[idp_id] : undefined
  return (settings?.protocol ?? 'saml2') === protocol_id ? settings : undefined
}

/** What must hold for a response besides its signature. */
export interface Expected {
  settings: Saml2Settings
  /** This cloud's name for the provider. */
  audience: string
  /** The address that the response came to. */
  recipient: string
  /** Whether the request that it says to answer is ours; undefined when it answers none. */
  answers(requestId: string | undefined): Promise<boolean>
}

/** Elements as node-saml reads them: attributes in `$`, text in `_`, children by their names without prefix. */
interface Element {
  $?: Record<string, string>
  _?: string
  [child: string]: unknown
}

const children = (element: Element | undefined, name: string) => (element?.[name] ?? []) as Element[]

function textOf(element: Element | string | undefined): string {
  return (typeof element === 'string' ? element : (element?._ ?? '')).trim()
}

/** Throws `Unauthorized`, and logs why, for every response that must not let anybody in. */
export async function saidBySaml(ctx: Ctx, xml: string, expected: Expected): Promise<Said> {
  try {
    const assertion = await verified(xml, expected)
    const until = await confirmed(ctx, assertion, expected)
    const said = saidIn(assertion, expected.settings)
    await useUp(ctx, `${expected.settings.entity_id}\n${assertion.$?.ID}`, until + skewMs)
    return said
  } catch (error) {
    ctx.log.info({ issuer: expected.settings.entity_id, reason: messageOf(error) }, 'a login by SAML was refused')
    throw new Unauthorized(undefined, { cause: error })
  }
}

/** The assertion that the provider has signed, read from nothing but the bytes that the signature covers. */
async function verified(xml: string, { settings, audience, recipient }: Expected): Promise<Element> {
  // Entities can hide, fetch and multiply; no response needs them.
  if (/<!(DOCTYPE|ENTITY)/i.test(xml)) throw new Error('the response has a document type')
  const { SAML } = xmlLibraries.saml()
  const key = settings.decryption_key_file
  const saml = new SAML({
    callbackUrl: recipient,
    issuer: audience,
    audience: settings.allow_any_audience ? false : audience,
    idpCert: await Promise.all(settings.certificate_files.map(file => readFile(file, 'utf8'))),
    wantAuthnResponseSigned: false,
    wantAssertionsSigned: false,
    acceptedClockSkewMs: skewMs,
    ...(key !== undefined && { decryptionPvk: await readFile(key, 'utf8') }),
  })
  const { profile } = await saml.validatePostResponseAsync({ SAMLResponse: Buffer.from(xml).toString('base64') })
  const assertion = (profile?.getAssertion?.() as { Assertion?: Element } | undefined)?.Assertion
  if (!assertion?.$?.ID) throw new Error('the response has no assertion')
  return assertion
}

/** What the library leaves to its callers: issuer, audience where none need be named, and who may show it where until when. */
async function confirmed(ctx: Ctx, assertion: Element, expected: Expected): Promise<number> {
  const { settings, audience, recipient } = expected
  const issuer = textOf(children(assertion, 'Issuer')[0])
  if (issuer !== settings.entity_id) throw new Error(`the assertion is of ${issuer}`)
  for (const restriction of children(children(assertion, 'Conditions')[0], 'AudienceRestriction')) {
    const meant = children(restriction, 'Audience').map(textOf)
    if (!meant.includes(audience)) throw new Error(`the assertion is meant for ${meant.join(', ')}`)
  }
  const problems: string[] = []
  for (const confirmation of children(children(assertion, 'Subject')[0], 'SubjectConfirmation')) {
    const { NotBefore, NotOnOrAfter, Recipient, InResponseTo } =
      children(confirmation, 'SubjectConfirmationData')[0]?.$ ?? {}
    const until = Date.parse(NotOnOrAfter ?? '')
    const now = ctx.clock.now()
    if (confirmation.$?.Method !== 'urn:oasis:names:tc:SAML:2.0:cm:bearer') problems.push('it is not for a bearer')
    else if (Recipient !== recipient) problems.push(`it is for ${Recipient}, and came to ${recipient}`)
    else if (!(now - skewMs < until)) problems.push(`it ended at ${NotOnOrAfter}`)
    else if (NotBefore !== undefined && !(Date.parse(NotBefore) <= now + skewMs)) problems.push('it has not begun')
    else if (!(await expected.answers(InResponseTo))) problems.push('it answers no request of ours')
    else return until
  }
  throw new Error(`the subject is not confirmed: ${problems.join('; ') || 'nothing is said'}`)
}

/** Each message does what it says once. */
export async function useUp(ctx: Ctx, name: string, expires_at: number): Promise<void> {
  const id = createHash('sha256').update(name).digest('hex')
  try {
    await usedAssertions.insert(ctx.db, { id, expires_at })
  } catch (error) {
    if (error instanceof UniqueViolation) throw new Error('it was used before', { cause: error })
    throw error
  }
}

/** In the names that mappings use: those of the attributes, and of the web server modules that upstream stands behind. */
function saidIn(assertion: Element, settings: Saml2Settings): Said {
  const found = new Map<string, string[]>()
  const add = (name: string, values: string[]) => found.set(name, [...(found.get(name) ?? []), ...values])
  for (const statement of children(assertion, 'AttributeStatement')) {
    for (const attribute of children(statement, 'Attribute')) {
      const values = children(attribute, 'AttributeValue')
        .map(textOf)
        .filter(value => value !== '')
      const { Name, FriendlyName } = attribute.$ ?? {}
      for (const name of new Set([Name, FriendlyName])) {
        if (!name || values.length === 0) continue
        add(name, values)
        add(`MELLON_${name}`, values)
      }
    }
  }
  const all = [...found.values()]
  if (all.length > most || all.some(values => values.length > most || values.some(value => value.length > longest))) {
    throw new Error('the assertion says too much')
  }
  const subject = textOf(children(children(assertion, 'Subject')[0], 'NameID')[0])
  for (const name of ['Shib-Identity-Provider', 'MELLON_IDP']) found.set(name, [settings.entity_id])
  for (const name of ['REMOTE_USER', 'MELLON_NAME_ID']) if (subject) found.set(name, [subject])
  return {
    ...{ assertion: Object.fromEntries(found), remote_id: settings.entity_id, subject },
    ...(subject && { session: sessionOf(assertion, subject) }),
  }
}

/** What the provider calls the login, for when it ends. */
function sessionOf(assertion: Element, subject: string): ProviderSession {
  const name = children(children(assertion, 'Subject')[0], 'NameID')[0]
  const { Format, NameQualifier, SPNameQualifier } = (typeof name === 'object' ? name.$ : undefined) ?? {}
  return {
    subject: {
      text: subject,
      ...(Format !== undefined && { Format }),
      ...(NameQualifier !== undefined && { NameQualifier }),
      ...(SPNameQualifier !== undefined && { SPNameQualifier }),
    },
    index: children(assertion, 'AuthnStatement')[0]?.$?.SessionIndex ?? '',
  }
}
