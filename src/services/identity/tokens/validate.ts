/** Checking tokens: remembered in the process as long as nothing in identity changes, so that most requests cost no query. */
import { type Ctx, type Env, type Identity, perCloud, systemCtx } from '#kernel/context.ts'
import { identityConfig } from '../config.ts'
import { knownGeneration } from '../revocations/revocation.ts'
import { type Facts, identityOf, unrevokedFacts } from './facts.ts'
import { type Claims, readToken } from './token.ts'

interface Checked {
  /** The generation before the facts were read: a change since then makes them stale. */
  generation: number
  identity: Identity
  /** When the token or its application credential ends. */
  until: number
}

const cache = perCloud(() => new Map<string, Checked>())

function remember(env: Env, token: string, checked: Checked): void {
  const entries = cache(env)
  entries.delete(token)
  entries.set(token, checked)
  if (entries.size > env.config.of(identityConfig).cache_size) entries.delete(entries.keys().next().value!)
}

/** Who a token belongs to; undefined when it is not valid, or no longer. */
export async function authenticate(env: Env, token: string): Promise<Identity | undefined> {
  const entries = cache(env)
  const entry = entries.get(token)
  if (entry && entry.generation === (await knownGeneration(env))) {
    if (env.clock.now() >= entry.until) return undefined
    // The least recently used goes first.
    entries.delete(token)
    entries.set(token, entry)
    return entry.identity
  }
  entries.delete(token)
  const found = await checkToken(systemCtx(env), token)
  if (!found) return undefined
  const { claims, facts } = found
  const identity = identityOf(claims, facts, token)
  remember(env, token, { generation: facts.generation, identity, until: Math.min(claims.expires_at, facts.until) })
  return identity
}

/** The claims and facts of a valid token. `lateMs`: how long after its end it is still looked at. */
export async function checkToken(
  ctx: Ctx,
  token: string,
  lateMs = 0,
): Promise<{ claims: Claims; facts: Facts & { generation: number } } | undefined> {
  const claims = await readToken(ctx, token)
  if (!claims || ctx.clock.now() >= claims.expires_at + lateMs) return undefined
  const facts = await unrevokedFacts(ctx, claims)
  return facts && { claims, facts }
}
