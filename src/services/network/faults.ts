/** Neutron's error envelope. */
import type { FaultShape } from '#kernel/service.ts'

/** Types of faults that no part of this service named: the framework's own, upstream's names for them. */
const typeByStatus: Record<number, string> = {
  400: 'HTTPBadRequest',
  401: 'HTTPUnauthorized',
  403: 'PolicyNotAuthorized',
  404: 'HTTPNotFound',
  405: 'HTTPMethodNotAllowed',
  409: 'Conflict',
  500: 'HTTPInternalServerError',
  503: 'HTTPServiceUnavailable',
}

export const networkFaults: FaultShape = fault => ({
  body: {
    NeutronError: { type: fault.type ?? typeByStatus[fault.status] ?? fault.name, message: fault.message, detail: '' },
  },
})
