/** Nova's error envelope: one member named after the status, with code and message. */
import type { FaultShape } from '#kernel/service.ts'

const names: Record<number, string> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
}

export const computeFaults: FaultShape = fault => ({
  body: {
    [names[fault.status] ?? 'computeFault']: {
      code: fault.status,
      message: fault.message,
      ...(typeof fault.extra.details === 'string' && { details: fault.extra.details }),
      ...(fault.headers['retry-after'] !== undefined && { retryAfter: fault.headers['retry-after'] }),
    },
  },
})
