/**
 * Revocation without clocks: identity has a generation that grows with every change that may take something from a token, and each token
 * carries the one it was made in. What is revoked remembers the generation from which tokens are good again. The number also says when
 * what a process remembers (tokens, roles, catalog, keys) is stale.
 */
import { type Ctx, type Env, perCloud } from '#kernel/context.ts'
import { identityConfig } from '../config.ts'
import {
  currentGeneration,
  nextGeneration,
  putRevokedScope,
  type Revoked,
  revocationEvents,
  revokedScopes,
  revokedTokens,
} from './store.ts'

/** What this process knows of the generation. */
export const known = perCloud(() => ({ generation: 0, checkedAt: Number.NEGATIVE_INFINITY }))

const subject = 'identity.generation'

/** To be called in the transaction of a change; returns the generation from which tokens are good. */
export async function identityChanged(ctx: Ctx): Promise<number> {
  const generation = await nextGeneration(ctx.db)
  ctx.afterCommit(() => {
    note(ctx, generation)
    ctx.bus.publish(subject, generation)
  })
  return generation
}

function note(env: Env, generation: number): void {
  const state = known(env)
  if (generation > state.generation) state.generation = generation
}

/** Listens for changes that other processes make. A lost message costs at most `cache_trust_ms`. */
export function followGeneration(env: Env): AsyncDisposable {
  return env.bus.subscribe(subject, generation => note(env, Number(generation)))
}

/** The generation, asking the database only when it was not asked for a while. */
export async function knownGeneration(env: Env): Promise<number> {
  const state = known(env)
  const now = env.clock.monotonic()
  if (now - state.checkedAt >= env.config.of(identityConfig).cache_trust_ms) await freshGeneration(env)
  return state.generation
}

/** The generation as the database has it now. */
export async function freshGeneration(env: Env & Partial<Pick<Ctx, 'db'>>): Promise<number> {
  const now = env.clock.monotonic()
  const generation = await currentGeneration(env.db ?? env.database.root)
  noteRead(env, generation, now)
  return generation
}

/** To be told when the generation was read together with something else; `asked`: the monotonic time before. */
export function noteRead(env: Env, generation: number, asked: number): void {
  note(env, generation)
  known(env).checkedAt = asked
}

export type TokenScope =
  | { type: 'unscoped' }
  | { type: 'project'; id: string }
  | { type: 'domain'; id: string }
  | { type: 'system' }

export function scopeKey(scope: TokenScope): string {
  return 'id' in scope ? `${scope.type}:${scope.id}` : scope.type
}

/** Writes down what is revoked, for services that check tokens themselves; the cloud itself goes by generations. */
export async function announce(ctx: Ctx, event: Revoked): Promise<void> {
  await revocationEvents.insert(ctx.db, { id: ctx.ids.hex(), at: ctx.clock.now(), event })
}

/** What an event about a user's tokens for the scope says. */
function scopeOf(scope: TokenScope): Revoked {
  if (scope.type === 'project') return { project_id: scope.id }
  return scope.type === 'domain' ? { domain_scope_id: scope.id } : {}
}

/** From now on, tokens that the user has for the scope are refused. */
export async function revokeScope(ctx: Ctx, userId: string, scope: TokenScope): Promise<void> {
  const tokens_after = await identityChanged(ctx)
  await announce(ctx, { user_id: userId, ...scopeOf(scope) })
  await putRevokedScope(ctx.db, { user_id: userId, scope: scopeKey(scope), tokens_after, at: ctx.clock.now() })
}

/** Kept beside a token's own audit id when what was made from it is revoked too. */
const derivedFrom = (auditId: string) => `derived:${auditId}`

/** Refuses a token, and those made from it when asked to: none of them ends later than it does. */
export async function revokeToken(
  ctx: Ctx,
  auditId: string,
  expiresAt: number,
  { withDerived }: { withDerived: boolean },
): Promise<void> {
  for (const audit_id of withDerived ? [auditId, derivedFrom(auditId)] : [auditId])
    await revokedTokens.insertNew(ctx.db, { audit_id, expires_at: expiresAt })
  await announce(ctx, { audit_id: auditId })
  if (withDerived) await announce(ctx, { audit_chain_id: auditId })
  await identityChanged(ctx)
}

/** Whether all that goes back to the token, or login, with this audit id was revoked. */
export async function isRevoked(ctx: Ctx, auditId: string): Promise<boolean> {
  return (await revokedTokens.find(ctx.db, { audit_id: derivedFrom(auditId) })) !== undefined
}

/** The revocations of single tokens that end the token with these audit ids: its own, then that of the first of its chain. */
export function revoking([own, above]: readonly string[]): [string, string] {
  return [own!, above === undefined ? own! : derivedFrom(above)]
}

/** The generation from which the user's tokens for the scope are good. */
export async function scopeTokensAfter(ctx: Ctx, userId: string, scope: TokenScope): Promise<number> {
  return (await revokedScopes.find(ctx.db, { user_id: userId, scope: scopeKey(scope) }))?.tokens_after ?? 0
}

/** Forgets revocations of tokens that have ended by themselves. */
export async function expireRevocations(ctx: Ctx): Promise<void> {
  const { token_lifetime_seconds, expired_token_window_seconds } = ctx.config.of(identityConfig)
  const ended = ctx.clock.now() - expired_token_window_seconds * 1000
  await revokedTokens.remove(ctx.db, { expires_at: { op: '<', value: ended } })
  const before = { at: { op: '<', value: ended - token_lifetime_seconds * 1000 } } as const
  await revokedScopes.remove(ctx.db, before)
  await revocationEvents.remove(ctx.db, before)
}

/** A value made from the database, kept as long as nothing in identity changes. `at`: the generation, when it was just read. */
export function perGeneration<T>(make: (ctx: Ctx) => Promise<T>): (ctx: Ctx, at?: number) => Promise<T> {
  const kept = perCloud(() => ({ generation: -1, value: undefined as T | undefined }))
  return async (ctx, at) => {
    const state = kept(ctx)
    // A transaction sees what it has changed itself.
    const generation = at ?? (ctx.db.isTransaction ? await currentGeneration(ctx.db) : await knownGeneration(ctx))
    if (state.generation === generation && state.value !== undefined) return state.value
    const value = await make(ctx)
    // Inside a transaction the value may hold what is not committed.
    if (!ctx.db.isTransaction) Object.assign(state, { generation, value })
    return value
  }
}
