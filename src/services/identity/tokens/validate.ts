/** Checking tokens: remembered in the process as long as nothing in identity changes, so that most requests cost no query. */
import { type Ctx, type Env, type Identity, perCloud, systemCtx } from '#kernel/context.ts'
import { identityConfig } from '../config.ts'
import { knownGeneration } from '../revocations/revocation.ts'
import { type Facts, identityOf, unrevokedFacts } from './facts.ts'
import { type Claims, readToken } from './token.ts'

/** A token that was good, and what is behind it. */
interface Checked {
  claims: Claims
  facts: Facts & { /** From before they were read: a change since then makes them stale. */ generation: number }
  /** When the token or its application credential ends. */
  until: number
  identity?: Identity
}

const cache = perCloud(() => new Map<string, Checked>())

function remember(env: Env, token: string, checked: Checked): void {
  const entries = cache(env)
  // The least recently used goes first.
  entries.delete(token)
  entries.set(token, checked)
  if (entries.size > env.config.of(identityConfig).cache_size) entries.delete(entries.keys().next().value!)
}

/** As it was found before, when nothing in identity has changed since; undefined when it has to be looked at. */
async function remembered(env: Env, token: string): Promise<Checked | undefined> {
  const entry = cache(env).get(token)
  if (!entry) return undefined
  const isGood = entry.facts.generation === (await knownGeneration(env)) && env.clock.now() < entry.until
  if (isGood) remember(env, token, entry)
  else cache(env).delete(token)
  return isGood ? entry : undefined
}

/** Who a token belongs to; undefined when it is not valid, or no longer. */
export async function authenticate(env: Env, token: string): Promise<Identity | undefined> {
  const found = (await remembered(env, token)) ?? (await checkToken(systemCtx(env), token))
  if (!found) return undefined
  found.identity ??= identityOf(found.claims, found.facts, token)
  return found.identity
}

/** The claims and facts of a valid token. `lateMs`: how long after its end it is still looked at. */
export async function checkToken(ctx: Ctx, token: string, lateMs = 0): Promise<Checked | undefined> {
  // A transaction sees what it has changed itself.
  const isShared = !ctx.db.isTransaction
  const known = isShared ? await remembered(ctx, token) : undefined
  if (known) return known
  const claims = await readToken(ctx, token)
  if (!claims || ctx.clock.now() >= claims.expires_at + lateMs) return undefined
  const facts = await unrevokedFacts(ctx, claims)
  if (!facts) return undefined
  const checked: Checked = { claims, facts, until: Math.min(claims.expires_at, facts.until) }
  if (isShared && ctx.clock.now() < checked.until) remember(ctx, token, checked)
  return checked
}
