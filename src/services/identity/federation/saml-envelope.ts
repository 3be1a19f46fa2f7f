/** Reading messages of SAML, or the one message in an envelope of SOAP. */
import { BadRequest, Unauthorized } from '#kernel/errors.ts'
import { namespaces } from './saml-xml.ts'
import { type XmlNode, xmlLibraries } from './xml-libraries.ts'

export type MessageName = 'Response' | 'LogoutRequest' | 'LogoutResponse'

/** The only element of that name. Refuses entities, which can hide, fetch and multiply. */
export function onlyElement(text: string, name: MessageName) {
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) throw new Unauthorized()
  const { DOMParser } = xmlLibraries.dom()
  const fail = (words: string) => {
    throw new Error(words)
  }
  try {
    const parser = new DOMParser({ errorHandler: { warning: () => {}, error: fail, fatalError: fail } })
    const found = parser.parseFromString(text, 'text/xml').getElementsByTagNameNS(namespaces.protocol, name)
    if (found.length !== 1) fail(`there is not one ${name}`)
    return found[0]!
  } catch (cause) {
    throw new BadRequest(`The body is not an envelope with one SAML ${name}.`, { cause })
  }
}

/** The elements of that name right in it; not from deeper in, where a signature may carry what nobody has signed. */
export function children(element: XmlNode | undefined, space: string, name: string): XmlNode[] {
  return Array.from(element?.childNodes ?? []).filter(one => one.namespaceURI === space && one.localName === name)
}

/** That element as text. */
export function fromEnvelope(text: string, name: MessageName): string {
  const { XMLSerializer } = xmlLibraries.dom()
  return new XMLSerializer().serializeToString(onlyElement(text, name))
}
