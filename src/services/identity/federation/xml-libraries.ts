/** The libraries of XML and SAML, loaded when first asked for. In narrow types of our own: theirs bring a browser's DOM into all of the code. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

interface SamlOptions {
  callbackUrl: string
  issuer: string
  /** PEM. */
  idpCert: string | string[]
  idpIssuer?: string
  audience?: string | false
  entryPoint?: string
  decryptionPvk?: string
  wantAuthnResponseSigned?: boolean
  wantAssertionsSigned?: boolean
  acceptedClockSkewMs?: number
  identifierFormat?: null
  disableRequestedAuthnContext?: boolean
  generateUniqueId?(): string
}

/** A signed request to log out. */
export interface LogoutProfile {
  ID: string
  issuer: string
  nameID: string
}

interface NodeSaml {
  SAML: new (
    options: SamlOptions,
  ) => {
    validatePostResponseAsync(sent: { SAMLResponse: string }): Promise<{ profile: { getAssertion?(): unknown } | null }>
    validatePostRequestAsync(sent: { SAMLRequest: string }): Promise<{ profile: LogoutProfile }>
    validateRedirectAsync(sent: Record<string, string>, query: string): Promise<{ profile: LogoutProfile | null }>
    getAuthorizeUrlAsync(relayState: string, host: undefined, options: object): Promise<string>
  }
}

interface XmlCrypto {
  SignedXml: new (options: {
    privateKey: string
    publicCert?: string
    signatureAlgorithm: string
    canonicalizationAlgorithm: string
  }) => {
    addReference(reference: { xpath: string; transforms: string[]; digestAlgorithm: string }): void
    computeSignature(xml: string, options: { location: { reference: string; action: 'after' }; prefix?: string }): void
    getSignedXml(): string
  }
}

interface XmlDom {
  DOMParser: new (options: {
    errorHandler: Record<'warning' | 'error' | 'fatalError', (words: string) => void>
  }) => {
    parseFromString(text: string, type: 'text/xml'): { getElementsByTagNameNS(space: string, name: string): XmlNode[] }
  }
  XMLSerializer: new () => { serializeToString(node: XmlNode): string }
}

/** An element. */
export interface XmlNode {
  namespaceURI: string | null
  localName: string
  textContent: string
  childNodes: ArrayLike<XmlNode>
  getAttribute(name: string): string
}

export const xmlLibraries = {
  saml: () => require('@node-saml/node-saml') as NodeSaml,
  signing: () => require('xml-crypto') as XmlCrypto,
  dom: () => require('@xmldom/xmldom') as XmlDom,
}
