/** The XML of SAML 2.0 that this cloud writes: assertions that it signs, the envelopes of ECP, what it tells of itself. */
import { xmlLibraries } from './xml-libraries.ts'

export const namespaces = {
  assertion: 'urn:oasis:names:tc:SAML:2.0:assertion',
  protocol: 'urn:oasis:names:tc:SAML:2.0:protocol',
  soap: 'http://schemas.xmlsoap.org/soap/envelope/',
  ecp: 'urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp',
  paos: 'urn:liberty:paos:2003-08',
} as const

const marks: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }

/** Characters that no XML may have become the sign for what cannot be shown; line ends stay what they are in attributes too. */
export function xmlText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"']/g, mark => marks[mark]!)
    .replace(/[\t\n\r]/g, mark => `&#${mark.charCodeAt(0)};`)
}

export const instant = (ms: number) => new Date(ms).toISOString()

export interface ToAssert {
  id: string
  response_id: string
  session: string
  issuer: string
  /** Where the assertion is shown. */
  recipient: string
  /** The only one whom it is meant for; undefined: it does not say. */
  audience: string | undefined
  subject: string
  attributes: Readonly<Record<string, readonly string[]>>
  now: number
  until: number
  /** The request that it answers. */
  in_response_to?: string
}

/** A response with one assertion, not yet signed. */
export function responseXml(said: ToAssert): string {
  const { issuer, recipient, audience, subject, now, until, in_response_to } = said
  const answers = in_response_to === undefined ? '' : ` InResponseTo="${xmlText(in_response_to)}"`
  const by = `<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">${xmlText(issuer)}</saml:Issuer>`
  const meant =
    audience === undefined
      ? ''
      : `<saml:AudienceRestriction><saml:Audience>${xmlText(audience)}</saml:Audience></saml:AudienceRestriction>`
  const attributes = Object.entries(said.attributes).map(([name, values]) => {
    const items = values.map(value => `<saml:AttributeValue>${xmlText(value)}</saml:AttributeValue>`)
    return `<saml:Attribute Name="${xmlText(name)}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri">${items.join('')}</saml:Attribute>`
  })
  return [
    `<samlp:Response xmlns:samlp="${namespaces.protocol}" xmlns:saml="${namespaces.assertion}" ID="${said.response_id}" Version="2.0"`,
    ` IssueInstant="${instant(now)}" Destination="${xmlText(recipient)}"${answers}>${by}`,
    '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>',
    `<saml:Assertion ID="${said.id}" Version="2.0" IssueInstant="${instant(now)}">${by}`,
    `<saml:Subject><saml:NameID>${xmlText(subject)}</saml:NameID>`,
    '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">',
    `<saml:SubjectConfirmationData NotOnOrAfter="${instant(until)}" Recipient="${xmlText(recipient)}"${answers}/>`,
    '</saml:SubjectConfirmation></saml:Subject>',
    `<saml:Conditions NotBefore="${instant(now - 5000)}" NotOnOrAfter="${instant(until)}">${meant}</saml:Conditions>`,
    `<saml:AuthnStatement AuthnInstant="${instant(now)}" SessionIndex="${said.session}" SessionNotOnOrAfter="${instant(until)}">`,
    '<saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>',
    `<saml:AuthenticatingAuthority>${xmlText(issuer)}</saml:AuthenticatingAuthority></saml:AuthnContext></saml:AuthnStatement>`,
    `<saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement></saml:Assertion></samlp:Response>`,
  ].join('')
}

/** The response with its assertion signed. Key and certificate are PEM. */
export function signedResponse(xml: string, key: string, certificate: string): string {
  return signed(xml, "/*[local-name(.)='Response']/*[local-name(.)='Assertion']", { key, certificate })
}

/** The message with one element of it signed, right behind its issuer. `at` is an XPath. */
export function signed(
  xml: string,
  at: string,
  { key, certificate, prefix }: { key: string; certificate?: string; prefix?: string },
): string {
  const { SignedXml } = xmlLibraries.signing()
  const exclusive = 'http://www.w3.org/2001/10/xml-exc-c14n#'
  const signer = new SignedXml({
    privateKey: key,
    ...(certificate !== undefined && { publicCert: certificate }),
    signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    canonicalizationAlgorithm: exclusive,
  })
  signer.addReference({
    xpath: at,
    transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', exclusive],
    digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
  })
  signer.computeSignature(xml, {
    location: { reference: `${at}/*[local-name(.)='Issuer']`, action: 'after' },
    ...(prefix !== undefined && { prefix }),
  })
  return signer.getSignedXml()
}

const next = 'S:mustUnderstand="1" S:actor="http://schemas.xmlsoap.org/soap/actor/next"'

function envelope(header: string, body: string): string {
  return `<S:Envelope xmlns:S="${namespaces.soap}"><S:Header>${header}</S:Header><S:Body>${body}</S:Body></S:Envelope>`
}

const relayState = (text: string) =>
  `<ecp:RelayState xmlns:ecp="${namespaces.ecp}" ${next}>${xmlText(text)}</ecp:RelayState>`

/** A message on its way to a server, without a client between. */
export const soap = (message: string) => envelope('', message)

/** A response on its way to a service provider by a client that is no browser. */
export function ecpResponse(response: string, relay: string): string {
  return envelope(relayState(relay), response)
}

export interface ToAsk {
  id: string
  issuer: string
  /** Where the answer goes. */
  consumer: string
  now: number
}

/** The question of a service provider, for such a client to carry to its identity provider. */
export function ecpRequest({ id, issuer, consumer, now }: ToAsk, relay: string): string {
  const by = `<saml:Issuer xmlns:saml="${namespaces.assertion}">${xmlText(issuer)}</saml:Issuer>`
  const header = [
    `<paos:Request xmlns:paos="${namespaces.paos}" ${next} responseConsumerURL="${xmlText(consumer)}" service="${namespaces.ecp}"/>`,
    `<ecp:Request xmlns:ecp="${namespaces.ecp}" ${next} IsPassive="false">${by}</ecp:Request>`,
    relayState(relay),
  ]
  const request = [
    `<samlp:AuthnRequest xmlns:samlp="${namespaces.protocol}" ID="${id}" Version="2.0" IssueInstant="${instant(now)}"`,
    ` ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:PAOS" AssertionConsumerServiceURL="${xmlText(consumer)}">`,
    `${by}<samlp:NameIDPolicy AllowCreate="true"/></samlp:AuthnRequest>`,
  ]
  return envelope(header.join(''), request.join(''))
}

/** What this cloud is as an identity provider. */
export function metadataXml(entityId: string, certificate: string, { sso, slo }: { sso: string; slo: string }): string {
  const base64 = certificate.replace(/-----[^-]+-----|\s/g, '')
  return [
    `<?xml version="1.0" encoding="UTF-8"?>\n<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${xmlText(entityId)}">`,
    `<md:IDPSSODescriptor protocolSupportEnumeration="${namespaces.protocol}"><md:KeyDescriptor use="signing">`,
    `<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`,
    '</md:KeyDescriptor>',
    `<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP" Location="${xmlText(slo)}"/>`,
    '<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:transient</md:NameIDFormat>',
    `<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:URI" Location="${xmlText(sso)}"/>`,
    '</md:IDPSSODescriptor></md:EntityDescriptor>\n',
  ].join('')
}
