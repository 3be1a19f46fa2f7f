/** Messages of SAML's single logout: written and signed, or read and believed, over a browser's redirect, a form, or SOAP. */
import { constants, createSign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Ctx } from '#kernel/context.ts'
import { messageOf, Unauthorized } from '#kernel/errors.ts'
import { limitedFetch } from '../limited-fetch.ts'
import { children, onlyElement } from './saml-envelope.ts'
import { useUp } from './saml-response.ts'
import { instant, namespaces, signed, soap, xmlText } from './saml-xml.ts'
import type { SubjectName } from './store.ts'
import { type LogoutProfile, type XmlNode, xmlLibraries } from './xml-libraries.ts'

/** How old a request may be. */
const freshMs = 300_000
const longestInflated = 262_144
const success = 'urn:oasis:names:tc:SAML:2.0:status:Success'

interface Message {
  id: string
  issuer: string
  /** Where it goes. */
  destination: string
  now: number
}

/** Protocol, assertion, signature. pysaml2 verifies what came by SOAP after it has written it anew, and then they are called so. */
const prefixes = ['ns0', 'ns1', 'ns2'] as const
const [p, a] = prefixes

function messageXml(name: string, { id, issuer, destination, now }: Message, attributes: string, rest: string): string {
  return [
    `<${p}:${name} xmlns:${p}="${namespaces.protocol}" xmlns:${a}="${namespaces.assertion}" ID="${id}" Version="2.0"`,
    ` IssueInstant="${instant(now)}" Destination="${xmlText(destination)}"${attributes}>`,
    `<${a}:Issuer>${xmlText(issuer)}</${a}:Issuer>${rest}</${p}:${name}>`,
  ].join('')
}

export interface ToLogOut extends Message {
  subject: SubjectName
  session_index: string
}

export function logoutRequestXml({ subject, session_index, ...message }: ToLogOut): string {
  const { text, ...attributes } = subject
  const marks = Object.entries(attributes).map(([name, value]) => ` ${name}="${xmlText(value)}"`)
  const session = session_index === '' ? '' : `<${p}:SessionIndex>${xmlText(session_index)}</${p}:SessionIndex>`
  return messageXml(
    'LogoutRequest',
    message,
    '',
    `<${a}:NameID${marks.join('')}>${xmlText(text)}</${a}:NameID>${session}`,
  )
}

export function logoutResponseXml({ answers, ...message }: Message & { answers: string }): string {
  const status = `<${p}:Status><${p}:StatusCode Value="${success}"/></${p}:Status>`
  return messageXml('LogoutResponse', message, ` InResponseTo="${xmlText(answers)}"`, status)
}

/** The message in an envelope, signed. */
export function signedSoap(xml: string, key: string): string {
  return soap(signed(xml, '/*', { key, prefix: prefixes[2] }))
}

/** The address that carries the message, signed, by a browser's redirect. */
export function redirectWith(
  to: string,
  xml: string,
  { key, relay }: { key: string; relay?: string | undefined },
): string {
  const address = new URL(to)
  const sent = new URLSearchParams()
  sent.set(
    xml.startsWith(`<${p}:LogoutRequest`) ? 'SAMLRequest' : 'SAMLResponse',
    deflateRawSync(xml).toString('base64'),
  )
  if (relay !== undefined) sent.set('RelayState', relay)
  sent.set('SigAlg', 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256')
  const signature = createSign('sha256').update(sent.toString()).sign({ key, padding: constants.RSA_PKCS1_PADDING })
  sent.set('Signature', signature.toString('base64'))
  for (const [name, value] of sent) address.searchParams.append(name, value)
  return address.href
}

/** Who a request says that it is of: nothing that is believed yet. */
export function issuerOf(xml: string): string {
  const [issuer] = children(onlyElement(xml, 'LogoutRequest'), namespaces.assertion, 'Issuer')
  return issuer?.textContent.trim() ?? ''
}

/** Who is trusted to ask, and for what. */
export interface Asker {
  entity_id: string
  certificate_files: readonly string[]
  /** The address that requests must name when they name one. */
  destination: string
}

export interface LogoutRequest {
  id: string
  subject: string
  /** None: all sessions of the subject. */
  session_indexes: string[]
}

/** How a request came: as XML that is signed itself, or by a redirect whose address is. */
export type Came = { xml: string } | { query: string }

/** Throws `Unauthorized`, and logs why, unless it is signed by who may ask, fresh, meant for us, and here for the first time. */
export async function readLogoutRequest(ctx: Ctx, came: Came, asker: Asker): Promise<LogoutRequest> {
  try {
    const [profile, xml] = 'xml' in came ? await byForm(ctx, came.xml, asker) : await byRedirect(ctx, came.query, asker)
    if (profile.issuer !== asker.entity_id) throw new Error(`it is of ${profile.issuer}`)
    const request = onlyElement(xml, 'LogoutRequest')
    const [destination, issued] = [
      request.getAttribute('Destination'),
      Date.parse(request.getAttribute('IssueInstant')),
    ]
    if (destination && destination !== asker.destination) throw new Error(`it is for ${destination}`)
    if (!(Math.abs(ctx.clock.now() - issued) < freshMs)) throw new Error(`it was made at ${issued}`)
    await useUp(ctx, `${asker.entity_id}\n${profile.ID}`, issued + freshMs)
    return { id: profile.ID, subject: profile.nameID, session_indexes: indexesIn(request) }
  } catch (error) {
    ctx.log.info({ issuer: asker.entity_id, reason: messageOf(error) }, 'a request to log out was refused')
    throw new Unauthorized(undefined, { cause: error })
  }
}

function indexesIn(request: XmlNode): string[] {
  return children(request, namespaces.protocol, 'SessionIndex')
    .map(node => node.textContent.trim())
    .filter(index => index !== '')
}

async function believing(ctx: Ctx, { entity_id, certificate_files, destination }: Asker) {
  const { SAML } = xmlLibraries.saml()
  return new SAML({
    callbackUrl: destination,
    issuer: ctx.publicUrl,
    idpIssuer: entity_id,
    idpCert: await Promise.all(certificate_files.map(file => readFile(file, 'utf8'))),
  })
}

/** What the library has believed, and the XML that it stands in. */
type Believed = [LogoutProfile, xml: string]

async function byForm(ctx: Ctx, xml: string, asker: Asker): Promise<Believed> {
  const saml = await believing(ctx, asker)
  return [(await saml.validatePostRequestAsync({ SAMLRequest: Buffer.from(xml).toString('base64') })).profile, xml]
}

async function byRedirect(ctx: Ctx, query: string, asker: Asker): Promise<Believed> {
  const [sent, signedText] = signedPart(query)
  // Before the library reads it.
  const xml = inflated(sent.SAMLRequest!)
  const { profile } = await (await believing(ctx, asker)).validateRedirectAsync(sent, signedText)
  if (!profile) throw new Error('it is no request')
  return [profile, xml]
}

/** The parameters by name, and the text that is signed: each once, and the signature there, since the library asks for neither. */
function signedPart(query: string): [Record<string, string>, string] {
  const parts = query.split('&').map(part => [part.slice(0, part.indexOf('=')), part] as const)
  const texts = ['SAMLRequest', 'RelayState', 'SigAlg', 'Signature'].flatMap(name => {
    const found = parts.filter(([own]) => own === name)
    if (found.length > 1 || (found.length === 0 && name !== 'RelayState')) throw new Error(`there is not one ${name}`)
    return found.map(([, text]) => text)
  })
  const signedText = texts.join('&')
  return [Object.fromEntries(new URLSearchParams(signedText)), signedText]
}

function inflated(sent: string): string {
  const xml = inflateRawSync(Buffer.from(sent, 'base64'), { maxOutputLength: longestInflated }).toString('utf8')
  onlyElement(xml, 'LogoutRequest')
  return xml
}

/** Tells another server, which answers at once. Throws when it does not, or says no. */
export async function tellBySoap(url: string, envelope: string): Promise<void> {
  const headers = { 'content-type': 'text/xml', soapaction: 'http://www.oasis-open.org/committees/security' }
  const answer = await limitedFetch(url, { method: 'POST', headers, body: envelope })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${new URL(url).host} answered with ${answer.status}`)
  const [status] = children(onlyElement(text, 'LogoutResponse'), namespaces.protocol, 'Status')
  const said = children(status, namespaces.protocol, 'StatusCode')[0]?.getAttribute('Value')
  if (said !== success) throw new Error(`${new URL(url).host} answered with ${said}`)
}
