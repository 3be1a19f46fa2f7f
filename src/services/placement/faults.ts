/** Placement's error envelope: a list of one, with a code that clients match from 1.23 on. */
import { ordinal } from '#kernel/schema/version.ts'
import type { FaultShape } from '#kernel/service.ts'

/** The sentence that stands before what happened, as upstream's framework writes it. */
const preface: Record<number, string> = {
  400: 'The server could not comply with the request since it is either malformed or otherwise incorrect.',
  401: 'The request you have made requires authentication.',
  403: 'Access was denied to this resource.',
  404: 'The resource could not be found.',
  405: 'The method specified is not allowed for this resource.',
  409: 'There was a conflict when trying to complete your request.',
  415: 'The request media type is not supported by this server.',
}

const codesSince = ordinal('1.23')

export const placementFaults: FaultShape = (fault, { requestId, version }) => {
  const reason =
    typeof fault.extra.reason === 'string' ? `JSON does not validate: ${fault.extra.reason}` : fault.message
  const before = preface[fault.status]
  return {
    body: {
      errors: [
        {
          status: fault.status,
          title: fault.title,
          detail: before && before !== reason ? `${before}\n\n ${reason}  ` : reason,
          ...(version >= codesSince && { code: fault.type ?? 'placement.undefined_code' }),
          request_id: requestId,
          ...(fault.status === 406 && version === 0 && { min_version: '1.0', max_version: '1.39' }),
        },
      ],
    },
  }
}
