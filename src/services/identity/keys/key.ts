/** The keys of tokens and of encrypted credentials. */
import type { Ctx } from '#kernel/context.ts'
import { lock, UniqueViolation } from '#kernel/db/database.ts'
import { identityConfig } from '../config.ts'
import { identityChanged, perGeneration } from '../revocations/revocation.ts'
import { type KeyRow, keys } from './store.ts'

type Purpose = 'token' | 'credential'

const purposes: Purpose[] = ['token', 'credential']

/** The primary first, then those that still open what they closed. */
const keyRing = perGeneration(async ctx => {
  const all = await keys.list(ctx.db, {}, { orderBy: [{ column: 'number', direction: 'desc' }] })
  const ring = (purpose: Purpose) =>
    all
      .filter(key => key.purpose === purpose)
      .sort((a, b) => Number(b.state === 'primary') - Number(a.state === 'primary'))
      .map(key => Buffer.from(key.secret, 'base64'))
  return { token: ring('token'), credential: ring('credential') }
})

export async function keysFor(ctx: Ctx, purpose: Purpose): Promise<Buffer[]> {
  return (await keyRing(ctx))[purpose]
}

function newKey(ctx: Ctx, purpose: Purpose, number: number, state: KeyRow['state']): KeyRow {
  return { purpose, number, state, secret: ctx.ids.bytes(32).toString('base64'), created_at: ctx.clock.now() }
}

/** Makes the first keys of a new cloud. */
export async function ensureKeys(ctx: Ctx): Promise<void> {
  if (await keys.find(ctx.db, {})) return
  try {
    await ctx.transaction(async tx => {
      for (const purpose of purposes) {
        await keys.insert(tx.db, newKey(tx, purpose, 1, 'primary'))
        await keys.insert(tx.db, newKey(tx, purpose, 2, 'staged'))
      }
    })
  } catch (error) {
    // Another process starts at the same time, and was first.
    if (!(error instanceof UniqueViolation)) throw error
  }
}

/** The staged key of tokens becomes the primary one; keys whose tokens have all ended are forgotten. Logs nobody out. */
export async function rotateTokenKeys(ctx: Ctx): Promise<void> {
  await ctx.transaction(async tx => {
    await lock(tx.db, tx.database.engine, 'identity.keys')
    const now = tx.clock.now()
    const of = (state: KeyRow['state']) => ({ purpose: 'token', state })
    const staged = await keys.find(tx.db, of('staged'))
    if (!staged) throw new Error('No staged key for tokens: the table of keys was changed by hand.')
    await keys.update(tx.db, of('primary'), { state: 'secondary', created_at: now })
    await keys.update(tx.db, of('staged'), { state: 'primary', created_at: now })
    await keys.insert(tx.db, newKey(tx, 'token', staged.number + 1, 'staged'))
    const { token_lifetime_seconds, expired_token_window_seconds } = tx.config.of(identityConfig)
    const ended = now - (token_lifetime_seconds + expired_token_window_seconds) * 1000
    await keys.remove(tx.db, { ...of('secondary'), created_at: { op: '<', value: ended } })
    await identityChanged(tx)
  })
}

/** Rotates when the primary key is old enough. */
export async function rotateWhenDue(ctx: Ctx): Promise<void> {
  const { key_rotation_seconds } = ctx.config.of(identityConfig)
  const primary = await keys.find(ctx.db, { purpose: 'token', state: 'primary' })
  if (!primary || key_rotation_seconds === 0) return
  if (ctx.clock.now() - primary.created_at >= key_rotation_seconds * 1000) await rotateTokenKeys(ctx)
}
