/** Ends of things as clients write them. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'

const malformed =
  'The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.'

/** Milliseconds of an `expires_at`, which must be to come; null for none. A time without a zone is in UTC. */
export function parseExpiry(ctx: Ctx, text: string | null | undefined): number | null {
  if (text === null || text === undefined) return null
  const at = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`)
  if (Number.isNaN(at)) throw new BadRequest(`Timestamp not in expected format. ${malformed}`)
  if (at <= ctx.clock.now()) throw new BadRequest(`The 'expires_at' must not be before now. ${malformed}`)
  return at
}

/** The microseconds of a written time that milliseconds leave out: clients want their own time back. */
export function microsOf(text: string | null | undefined): number {
  const digits = /\.\d{3}(\d{1,3})/.exec(text ?? '')?.[1] ?? ''
  return Number(digits.padEnd(3, '0'))
}
