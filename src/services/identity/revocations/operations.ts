/** GET /v3/OS-REVOKE/events: for services that check signed tokens themselves. */
import { isoMicros } from '#kernel/clock.ts'
import { BadRequest } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { listOf } from '../answers.ts'
import { collectionOf, first } from '../listing.ts'
import { identityRule, systemOrProject } from '../policy.ts'
import { type RevocationEvent, revocationEvents } from './store.ts'

function sinceOf(text: string | undefined): number {
  if (text === undefined) return 0
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw new BadRequest(`invalidate date format ${text}`)
  return at
}

function view({ at, event }: RevocationEvent) {
  return { ...event, issued_before: isoMicros(at), revoked_at: isoMicros(at) }
}

export const listRevocationEvents = operation({
  id: 'identity.revocation_events.list',
  method: 'GET',
  path: '/v3/OS-REVOKE/events',
  summary: 'List what was revoked',
  response: listOf('events', Type.Record(Type.String(), Type.Unknown())),
  policy: identityRule('list_revoke_events', 'rule:service_or_admin', systemOrProject),
  query: Type.Object({ since: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])) }),
  async handle(ctx, { query, url }) {
    const found = await revocationEvents.list(
      ctx.db,
      { at: { op: '>=', value: sinceOf(first(query.since)) } },
      {
        orderBy: [
          { column: 'at', direction: 'asc' },
          { column: 'id', direction: 'asc' },
        ],
      },
    )
    return reply({ events: found.map(view), links: collectionOf(ctx, url) }, { headers: { vary: 'X-Auth-Token' } })
  },
})
