/** Checking tokens: remembered in the process as long as nothing in identity changes, so that most requests cost no query. */
import { type Ctx, type Env, type Identity, perCloud, systemCtx } from '#kernel/context.ts'
import { identityConfig } from '../config.ts'
import { knownGeneration } from '../revocations/revocation.ts'
import { type Facts, identityOf, unrevokedFacts } from './facts.ts'
import { type Claims, readToken } from './token.ts'

/** A token that was good. */
interface Checked {
  /** From before it was looked at: a change since then makes this stale. */
  generation: number
  /** When the token or its application credential ends. */
  until: number
  /** Of one that a request came with. */
  identity?: Identity
  /** Of one that was to be shown: rows that take some room. */
  shown?: Shown
}

export interface Shown {
  claims: Claims
  facts: Facts & { generation: number }
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
  const isGood = entry.generation === (await knownGeneration(env)) && env.clock.now() < entry.until
  if (isGood) remember(env, token, entry)
  else cache(env).delete(token)
  return isGood ? entry : undefined
}

/** Who a token belongs to; undefined when it is not valid, or no longer. */
export async function authenticate(env: Env, token: string): Promise<Identity | undefined> {
  const known = await remembered(env, token)
  if (known?.identity) return known.identity
  const found = known?.shown ?? (await look(systemCtx(env), token, 0))
  if (!found) return undefined
  const identity = identityOf(found.claims, found.facts, token)
  remember(env, token, { ...checkedOf(found, known), identity })
  return identity
}

/** The claims and facts of a valid token. `lateMs`: how long after its end it is still looked at. */
export async function checkToken(ctx: Ctx, token: string, lateMs = 0): Promise<Shown | undefined> {
  // A transaction sees what it has changed itself.
  if (ctx.db.isTransaction) return look(ctx, token, lateMs)
  const known = await remembered(ctx, token)
  if (known?.shown) return known.shown
  const shown = await look(ctx, token, lateMs)
  if (shown) remember(ctx, token, { ...checkedOf(shown, known), shown })
  return shown
}

/** What was known of the token stays only when it is of the same generation. */
function checkedOf({ claims, facts }: Shown, known: Checked | undefined): Checked {
  const { generation, until } = facts
  return { ...(known?.generation === generation && known), generation, until: Math.min(claims.expires_at, until) }
}

async function look(ctx: Ctx, token: string, lateMs: number): Promise<Shown | undefined> {
  const claims = await readToken(ctx, token)
  if (!claims || ctx.clock.now() >= claims.expires_at + lateMs) return undefined
  const facts = await unrevokedFacts(ctx, claims)
  return facts && { claims, facts }
}
