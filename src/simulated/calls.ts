/** The log of the requests that came to a simulated cloud. Without bodies and tokens: they hold secrets. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '#kernel/clock.ts'
import type { Call, CallFilter } from './controls.ts'
import { fits } from './pattern.ts'

/** What is known of a request once its operation is. */
export type Details = Pick<Call, 'operation' | 'project_id' | 'user_id' | 'faults'>

export interface Calls {
  /** What it returns is called at the end of the answer. */
  came(request: IncomingMessage): (response: ServerResponse) => void
  note(request: IncomingMessage, details: Details): void
  list(filter?: CallFilter): Call[]
  clear(): void
}

const kept = 10_000

const unknown: Details = { operation: null, project_id: null, user_id: null, faults: [] }

/** `at` is told by the cloud's clock, durations by the real one. */
export function callLog(cloudClock: Clock, realClock: Clock): Calls {
  const known = new WeakMap<IncomingMessage, Details>()
  let calls: Call[] = []
  let number = 0

  return {
    came(request) {
      const at = cloudClock.now()
      const began = realClock.monotonic()
      const { method = '', url = '' } = request
      return response => {
        const id = response.getHeader('x-openstack-request-id')
        calls.push({
          number: ++number,
          at: new Date(at).toISOString(),
          method,
          url,
          ...(known.get(request) ?? unknown),
          request_id: typeof id === 'string' ? id : null,
          status: response.writableFinished ? response.statusCode : null,
          milliseconds: realClock.monotonic() - began,
        })
        // Now and then, so that a call costs the same however many there were.
        if (calls.length >= 2 * kept) calls = calls.slice(-kept)
      }
    },
    note: (request, details) => void known.set(request, details),
    list: (filter = {}) => calls.slice(-kept).filter(call => isAmong(call, filter)),
    clear() {
      calls = []
    },
  }
}

function isAmong(call: Call, { operation, method, project_id, status, after = 0 }: CallFilter): boolean {
  return (
    fits(operation, call.operation ?? '') &&
    fits(method?.toUpperCase(), call.method) &&
    (project_id === undefined || project_id === call.project_id) &&
    (status === undefined || status === call.status) &&
    call.number > after
  )
}
