/** Placement's error envelope: a list of one, with a code that clients match from 1.23 on. */
import type { Fault } from '#kernel/errors.ts'
import { ordinal } from '#kernel/schema/version.ts'
import type { FaultShape } from '#kernel/service.ts'
import { maxVersion, minVersion } from './versions.ts'

/** The sentence that stands before what happened, as upstream's framework writes it. */
const preface: Record<number, string> = {
  400: 'The server could not comply with the request since it is either malformed or otherwise incorrect.',
  401: 'The request you have made requires authentication.',
  403: 'Access was denied to this resource.',
  404: 'The resource could not be found.',
  405: 'The method specified is not allowed for this resource.',
  406: 'The resource could not be generated that was acceptable to your browser (content\nof type application/json).',
  409: 'There was a conflict when trying to complete your request.',
  415: 'The request media type is not supported by this server.',
}

const codesSince = ordinal('1.23')

/** Which rule of the schema it was, as Python's validator says it. */
function failed(rule: unknown): string {
  if (!Array.isArray(rule)) return ''
  const path = rule.slice(0, -1).map(part => (/^\d+$/.test(part) ? `[${part}]` : `['${part}']`))
  return `\nFailed validating '${rule.at(-1)}' in schema${path.join('')}`
}

function reasonOf({ message, extra }: Fault): string {
  if (typeof extra.query === 'string') return `Invalid query string parameters: ${extra.query}${failed(extra.rule)}`
  if (typeof extra.reason === 'string') return `JSON does not validate: ${extra.reason}${failed(extra.rule)}`
  if (typeof extra.api_version === 'string') return `invalid version string: ${extra.api_version}`
  if (typeof extra.unacceptable_version === 'string')
    return `Unacceptable version header: ${extra.unacceptable_version}`
  if (extra.malformed) return `Malformed JSON: ${message}`
  return message
}

const isBrowser = (accept = '') => /text\/html/i.test(accept) && !/application\/json/i.test(accept)

function page({ status, title }: Fault, before: string | undefined, reason: string) {
  const text = [before, reason].filter(part => part !== undefined).map(escaped)
  return {
    contentType: 'text/html; charset=UTF-8',
    body: `<html><head><title>${status} ${escaped(title)}</title></head><body>${text.join('<br />\n')}</body></html>`,
  }
}

const escaped = (text: string) => text.replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)

export const placementFaults: FaultShape = (fault, { requestId, version, accept }) => {
  const reason = reasonOf(fault)
  const before = preface[fault.status]
  if (isBrowser(accept)) return page(fault, before, reason)
  return {
    body: {
      errors: [
        {
          status: fault.status,
          title: fault.title,
          detail: before && before !== reason ? `${before}\n\n ${reason}  ` : reason,
          ...(version >= codesSince && { code: fault.type ?? 'placement.undefined_code' }),
          request_id: requestId,
          ...(fault.status === 406 && version === 0 && { min_version: minVersion, max_version: maxVersion }),
        },
      ],
    },
  }
}
