/** Tokens for those for whom an identity provider vouches. */
import type { Ctx } from '#kernel/context.ts'
import { Unauthorized } from '#kernel/errors.ts'
import { type Reply, reply } from '#kernel/operation.ts'
import type { Login } from './federation/login.ts'
import { needsMore } from './tokens/factors.ts'
import { factsOf } from './tokens/facts.ts'
import { knownMethods } from './tokens/methods.ts'
import { mint } from './tokens/mint.ts'
import { federatedMethod } from './tokens/token.ts'

/** An unscoped token with its description; the reply instead when more factors are needed, which users of this cloud may. */
export async function federatedToken(
  ctx: Ctx,
  { user_id, protocol_id, generation }: Login,
): Promise<{ token: string; body: object } | Reply> {
  const scope = { type: 'unscoped' } as const
  const facts = await factsOf(ctx, { user_id, scope })
  if (!facts) throw new Unauthorized()
  const method = federatedMethod(protocol_id)
  const known = new Set([...knownMethods, method])
  const { answer } = await needsMore(ctx, user_id, [method], undefined, known, generation)
  if (answer) return answer
  return mint(ctx, { user_id, scope, facts, generation, methods: [method], withCatalog: false })
}

/** The token as the answer to a login without a browser. */
export async function federatedAnswer(ctx: Ctx, login: Login): Promise<Reply> {
  const issued = await federatedToken(ctx, login)
  if (!('token' in issued)) return issued
  return reply(issued.body, { status: 201, headers: { 'x-subject-token': issued.token, vary: 'X-Auth-Token' } })
}
