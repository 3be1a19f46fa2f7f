/** What the API says of users whom identity providers know: `federated`, set beforehand or by a first login. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest } from '#kernel/errors.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { conflict } from '../faults.ts'
import { federatedUsers } from '../federation/store.ts'
import { identityProviders, protocols } from '../identity-providers/store.ts'
import { first } from '../listing.ts'

const text = Type.String({ minLength: 1, maxLength: 255 })

export const federatedSchema = Type.Array(
  Type.Object({
    idp_id: text,
    protocols: Type.Array(Type.Object({ protocol_id: text, unique_id: text }), { minItems: 1, maxItems: 32 }),
  }),
  { maxItems: 32 },
)

type Federated = Static<typeof federatedSchema>

/** Nothing for a user whom no provider knows. */
export async function federatedOf(ctx: Ctx, user_id: string): Promise<{ federated?: Federated }> {
  const links = await federatedUsers.list(ctx.db, { user_id }, { orderBy: [{ column: 'idp_id', direction: 'asc' }] })
  if (links.length === 0) return {}
  const federated = [...new Set(links.map(link => link.idp_id))].map(idp_id => ({
    idp_id,
    protocols: links
      .filter(link => link.idp_id === idp_id)
      .map(({ protocol_id, unique_id }) => ({ protocol_id, unique_id })),
  }))
  return { federated }
}

async function checkWays(ctx: Ctx, federated: Federated): Promise<void> {
  for (const { idp_id, protocols: own } of federated) {
    if (!(await identityProviders.find(ctx.db, { id: idp_id }))) {
      throw new BadRequest(`Could not find Identity Provider: ${idp_id}`)
    }
    for (const { protocol_id } of own) {
      if (await protocols.find(ctx.db, { idp_id, id: protocol_id })) continue
      throw new BadRequest(`Could not find federated protocol ${protocol_id} for Identity Provider: ${idp_id}.`)
    }
  }
}

/** Makes these the ways by which the user is known, and no others. */
export async function putFederated(ctx: Ctx, user_id: string, federated: Federated): Promise<void> {
  await checkWays(ctx, federated)
  await federatedUsers.remove(ctx.db, { user_id })
  try {
    for (const { idp_id, protocols: own } of federated) {
      for (const { protocol_id, unique_id } of own) {
        await federatedUsers.insert(ctx.db, { idp_id, protocol_id, unique_id, user_id })
      }
    }
  } catch (error) {
    if (error instanceof UniqueViolation) throw conflict('federated user', 'Another user is known by that unique_id')
    throw error
  }
}

type Query = Readonly<Record<string, unknown>>

/** Of a list: those whom the provider, protocol or name there is of. */
export async function federatedFilter(ctx: Ctx, query: Query): Promise<{ id?: string[] }> {
  const asked = (['idp_id', 'protocol_id', 'unique_id'] as const).flatMap(name => {
    const value = first(query[name] as string | undefined)
    return value === undefined ? [] : [[name, value]]
  })
  if (asked.length === 0) return {}
  return { id: (await federatedUsers.list(ctx.db, Object.fromEntries(asked))).map(link => link.user_id) }
}
