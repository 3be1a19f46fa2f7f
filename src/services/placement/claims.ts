/** Bodies that say what consumers are to have, in every version's form, and the claims made of them. */
import { BadRequest } from '#kernel/errors.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { byVersion, requiredSince, since } from '#kernel/schema/marks.ts'
import type { Amounts, ConsumerClaim } from './allocations/allocation.ts'
import { classPattern, externalId, generation, uuid, uuidPattern } from './dialect.ts'
import { dashed } from './providers/provider.ts'

const closed = { additionalProperties: false }
const resources = Type.Record(Type.String({ pattern: classPattern }), Type.Integer({ minimum: 1 }), {
  ...closed,
  minProperties: 1,
})
const listed = Type.Array(Type.Object({ resource_provider: Type.Object({ uuid }, closed), resources }, closed), {
  minItems: 1,
})
const keyed = (minProperties: number) =>
  Type.Record(
    Type.String({ pattern: uuidPattern }),
    Type.Object({ generation: Type.Optional(generation), resources }, closed),
    { ...closed, minProperties },
  )

const withoutOwner = '00000000-0000-0000-0000-000000000000'
const owned = {
  project_id: requiredSince('1.8', externalId),
  user_id: requiredSince('1.8', externalId),
  consumer_generation: requiredSince('1.28', Type.Union([Type.Integer(), Type.Null()])),
  mappings: since(
    '1.34',
    Type.Record(Type.String({ pattern: '[a-zA-Z0-9_-]{1,64}' }), Type.Array(uuid, { minItems: 1 }), {
      minProperties: 1,
    }),
  ),
  consumer_type: requiredSince('1.38', Type.String({ minLength: 1, maxLength: 255, pattern: classPattern })),
}
/** What `PUT /allocations/{consumer_uuid}` takes. */
export const oneConsumer = Type.Object(
  { ...owned, allocations: byVersion({ '1.0': listed, '1.12': keyed(1), '1.28': keyed(0) }, keyed(0)) },
  closed,
)
const deletable = Type.Object({ ...owned, allocations: keyed(0) }, closed)
/** What `POST /allocations` takes, and the reshaper. */
export const manyConsumers = (minProperties: number) =>
  Type.Record(Type.String({ pattern: uuidPattern }), deletable, { ...closed, minProperties })

type Asked = Static<typeof deletable>
type Listed = Static<typeof listed>

/** Amounts by provider, from either of the forms that a body may have. */
function amountsFrom(asked: Asked['allocations'] | Listed): Amounts {
  const entries = Array.isArray(asked)
    ? asked.map(one => [one.resource_provider.uuid, one.resources] as const)
    : Object.entries(asked).map(([provider, one]) => [provider, one.resources] as const)
  return Object.fromEntries(entries)
}

/** What a body for one consumer asks for. */
export function claimFrom(consumer: string, asked: Asked): ConsumerClaim {
  return {
    id: consumer,
    project_id: asked.project_id ?? withoutOwner,
    user_id: asked.user_id ?? withoutOwner,
    type: asked.consumer_type,
    generation: asked.consumer_generation,
    allocations: amountsFrom(asked.allocations),
  }
}

/** What a body for several consumers asks for. */
export function claimsFrom(body: Record<string, Asked>): ConsumerClaim[] {
  const claims = Object.entries(body).map(([consumer, asked]) => claimFrom(dashed(consumer), asked))
  if (new Set(claims.map(claim => claim.id)).size < claims.length)
    throw new BadRequest('The same consumer is named more than once.')
  return claims
}
