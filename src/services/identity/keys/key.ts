/** The keys of tokens and of encrypted credentials. */
import type { Ctx } from '#kernel/context.ts'
import { lock, UniqueViolation } from '#kernel/db/database.ts'
import { identityConfig } from '../config.ts'
import { signingKey } from '../jws.ts'
import { identityChanged, perGeneration } from '../revocations/revocation.ts'
import { type KeyRow, keys } from './store.ts'

type Purpose = 'token' | 'jws' | 'credential'

const purposes: Purpose[] = ['token', 'jws', 'credential']

/** Those that are replaced when they are old. */
const rotated: Purpose[] = ['token', 'jws']

/** The primary first, then those that still open what they closed. */
async function ringOf(ctx: Ctx, ...purpose: Purpose[]): Promise<KeyRow[]> {
  const all = await keys.list(ctx.db, { purpose }, { orderBy: [{ column: 'number', direction: 'desc' }] })
  return all.sort((a, b) => Number(b.state === 'primary') - Number(a.state === 'primary'))
}

const secretOf = ({ secret }: KeyRow): Buffer => Buffer.from(secret, 'base64')

const sealing = perGeneration(async ctx => {
  const all = await ringOf(ctx, 'token', 'credential')
  const of = (purpose: Purpose) => all.filter(key => key.purpose === purpose).map(secretOf)
  return { token: of('token'), credential: of('credential') }
})

export async function keysFor(ctx: Ctx, purpose: 'token' | 'credential'): Promise<Buffer[]> {
  return (await sealing(ctx))[purpose]
}

/** Of signed tokens. The next primary is among them, so that whoever fetches them now and then knows it before it is used. */
export const signingKeys = perGeneration(async ctx => {
  const all = await ringOf(ctx, 'jws')
  return all.map(key => signingKey(String(key.number), secretOf(key)))
})

function newKey(ctx: Ctx, purpose: Purpose, number: number, state: KeyRow['state']): KeyRow {
  return { purpose, number, state, secret: ctx.ids.bytes(32).toString('base64'), created_at: ctx.clock.now() }
}

/** Makes the first keys of a new cloud, and of what an older one had none for. */
export async function ensureKeys(ctx: Ctx): Promise<void> {
  const there = new Set((await keys.list(ctx.db)).map(key => key.purpose))
  const missing = purposes.filter(purpose => !there.has(purpose))
  if (missing.length === 0) return
  try {
    await ctx.transaction(async tx => {
      for (const purpose of missing) {
        await keys.insert(tx.db, newKey(tx, purpose, 1, 'primary'))
        await keys.insert(tx.db, newKey(tx, purpose, 2, 'staged'))
      }
    })
  } catch (error) {
    // Another process starts at the same time, and was first.
    if (!(error instanceof UniqueViolation)) throw error
  }
}

/**
 * The staged keys of tokens become the primary ones; keys whose tokens have all ended are forgotten, which logs nobody out. With `forget` all there
 * were are, and their tokens end. Returns how many former keys of tokens are left.
 */
export async function rotateTokenKeys(ctx: Ctx, { forget = false } = {}): Promise<number> {
  return ctx.transaction(async tx => {
    await lock(tx.db, tx.database.engine, 'identity.keys')
    for (const purpose of rotated) await (forget ? renew(tx, purpose) : rotate(tx, purpose))
    await identityChanged(tx)
    return keys.count(tx.db, { purpose: 'token', state: 'secondary' })
  })
}

/** Whoever saw one of the keys may have seen them all, the next one too. */
async function renew(ctx: Ctx, purpose: Purpose): Promise<void> {
  const numbers = (await keys.list(ctx.db, { purpose })).map(key => key.number)
  const last = Math.max(0, ...numbers)
  await keys.remove(ctx.db, { purpose })
  await keys.insert(ctx.db, newKey(ctx, purpose, last + 1, 'primary'))
  await keys.insert(ctx.db, newKey(ctx, purpose, last + 2, 'staged'))
}

async function rotate(ctx: Ctx, purpose: Purpose): Promise<void> {
  const now = ctx.clock.now()
  const of = (state: KeyRow['state']) => ({ purpose, state })
  const staged = await keys.find(ctx.db, of('staged'))
  if (!staged) throw new Error(`No staged key for ${purpose}: the table of keys was changed by hand.`)
  await keys.update(ctx.db, of('primary'), { state: 'secondary', created_at: now })
  await keys.update(ctx.db, of('staged'), { state: 'primary', created_at: now })
  await keys.insert(ctx.db, newKey(ctx, purpose, staged.number + 1, 'staged'))
  const { token_lifetime_seconds, expired_token_window_seconds } = ctx.config.of(identityConfig)
  const ended = now - (token_lifetime_seconds + expired_token_window_seconds) * 1000
  await keys.remove(ctx.db, { ...of('secondary'), created_at: { op: '<', value: ended } })
}

/** Rotates when the primary key is old enough. */
export async function rotateWhenDue(ctx: Ctx): Promise<void> {
  const { key_rotation_seconds } = ctx.config.of(identityConfig)
  const primary = await keys.find(ctx.db, { purpose: 'token', state: 'primary' })
  if (!primary || key_rotation_seconds === 0) return
  if (ctx.clock.now() - primary.created_at >= key_rotation_seconds * 1000) await rotateTokenKeys(ctx)
}
