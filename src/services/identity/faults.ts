/** Keystone's error envelope and its wordings. */
import { BadRequest, Conflict, type Fault, Forbidden, NotFound } from '#kernel/errors.ts'
import type { FaultShape } from '#kernel/service.ts'

export const identityFaults: FaultShape = fault => ({
  body: { error: { code: fault.status, message: messageOf(fault), title: fault.title } },
})

/** The kernel's general refusals in Keystone's words. */
function messageOf(fault: Fault): string {
  const rule = /^Policy doesn't allow (\S+) to be performed\.$/.exec(fault.message)?.[1]
  if (rule) return `You are not authorized to perform the requested action: ${rule}.`
  const { field, reason } = fault.extra as { field?: string; reason?: string }
  if (reason === undefined) return fault.message
  // The path is told from inside the body's one member.
  const path = field?.split('.').slice(1).join('/')
  return path ? `Invalid input for field '${path}': ${reason}` : reason
}

export function expecting(attribute: string, target: string): BadRequest {
  return new BadRequest(
    `Expecting to find ${attribute} in ${target}. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.`,
  )
}

/** `what` in Keystone's words: `user`, `Application Credential`. */
export function notFound(what: string, id: string): NotFound {
  return new NotFound(`Could not find ${what}: ${id}.`)
}

export function conflict(type: string, details: string): Conflict {
  return new Conflict(`Conflict occurred attempting to store ${type} - ${details}.`)
}

export function forbiddenAction(action: string): Forbidden {
  return new Forbidden(`You are not authorized to perform the requested action: ${action}.`)
}
