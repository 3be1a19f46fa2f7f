/** What an OpenID provider said, in the names that mappings use: those of the web server modules that upstream stands behind. */
import { Unauthorized } from '#kernel/errors.ts'
import type { Said } from './mapped.ts'
import type { Claims } from './openid-provider.ts'

const most = 500
const longest = 8192

/** Texts as they are, numbers and truth values as texts, everything else as JSON. */
function valuesOf(claim: unknown): string[] {
  if (claim === undefined || claim === null) return []
  if (Array.isArray(claim)) return claim.flatMap(one => (Array.isArray(one) ? [JSON.stringify(one)] : valuesOf(one)))
  return [typeof claim === 'object' ? JSON.stringify(claim) : String(claim)]
}

/** `sub` is `OIDC-sub`, and `HTTP_OIDC_SUB` as a header would be called. */
export function saidByOpenid(claims: Claims): Said {
  const assertion: Record<string, string[]> = {}
  for (const [name, claim] of Object.entries(claims)) {
    const values = valuesOf(claim)
    if (values.length > most || values.some(value => value.length > longest)) {
      throw new Unauthorized(
        `The identity provider says too much: "${name}" has more than ${most} values, or too long ones.`,
      )
    }
    if (values.length === 0) continue
    assertion[`OIDC-${name}`] = values
    assertion[`HTTP_OIDC_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`] = values
  }
  const subject = typeof claims.sub === 'string' ? claims.sub : String(claims.client_id ?? '')
  if (subject) assertion.REMOTE_USER = [subject]
  const session = { subject: { text: subject }, index: typeof claims.sid === 'string' ? claims.sid : '' }
  return { assertion, remote_id: String(claims.iss ?? ''), subject, ...(subject && { session }) }
}
