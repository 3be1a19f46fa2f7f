/** The end of every login by an identity provider, whatever it spoke: from what it said to a user of this cloud. */
import type { Ctx } from '#kernel/context.ts'
import { freshGeneration } from '../revocations/revocation.ts'
import type { Way } from './federation.ts'
import { findWay, localUser, mapped, type OpenWay, personOf, type Said } from './mapped.ts'
import { shadowUser } from './shadow.ts'
import type { ProviderSession } from './store.ts'

/** Somebody who has been let in: what a token is made of. */
export interface Login {
  user_id: string
  protocol_id: string
  /** The generation of identity in which its token is made. */
  generation: number
  idp_id: string
  session?: ProviderSession | undefined
}

/** `prove` finds out what is said; it is asked only when somebody may log in that way at all. */
export async function logIn(ctx: Ctx, way: Way, prove: (open: OpenWay) => Promise<Said>): Promise<Login> {
  // Before anything is looked at: what is revoked from here on does not spare the new token.
  const before = await freshGeneration(ctx)
  const open = await findWay(ctx, way)
  const said = await prove(open)
  const found = await mapped(ctx, open, said)
  const { idp_id, protocol_id } = way
  const login = { idp_id, protocol_id, session: said.session }
  if (found.user.type === 'local') return { ...login, user_id: await localUser(ctx, found), generation: before }
  const { user_id, generation } = await shadowUser(ctx, open, await personOf(ctx, open, said, found))
  return { ...login, user_id, generation: generation ?? before }
}
