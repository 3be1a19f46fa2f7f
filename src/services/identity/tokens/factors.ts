/** Several factors: which methods a user's login needs, and the receipt for those that were shown so far. */
import { decode, encode } from '@msgpack/msgpack'
import { isoMicros } from '#kernel/clock.ts'
import type { Ctx } from '#kernel/context.ts'
import { Unauthorized } from '#kernel/errors.ts'
import { reply } from '#kernel/operation.ts'
import { identityConfig } from '../config.ts'
import { open, seal } from '../fernet.ts'
import { keysFor } from '../keys/key.ts'
import { projects } from '../projects/store.ts'
import { type UserRow, users } from '../users/store.ts'

/** Tells a receipt from a token: both are sealed with the same keys. */
const layout = 'receipt'

interface Receipt {
  user_id: string
  methods: string[]
  /** The generation in which it was made: what ended the user's tokens since then ends it. */
  generation: number
  expires_at: number
}

/** The user's rules, without methods that this cloud does not know: nobody is locked out by a word. */
function rulesOf({ options }: UserRow, known: ReadonlySet<string>): string[][] {
  const rules = options.multi_factor_auth_rules
  if (options.multi_factor_auth_enabled === false || !Array.isArray(rules)) return []
  return (rules as string[][]).map(rule => rule.filter(method => known.has(method))).filter(rule => rule.length > 0)
}

/** The methods of the receipt that the request carries; none without one. */
export async function receiptMethods(ctx: Ctx, user: UserRow, text: string | undefined): Promise<string[]> {
  if (!text) return []
  const receipt = await readReceipt(ctx, text)
  const isGood = receipt?.user_id === user.id && receipt.generation >= user.tokens_after
  if (!receipt || !isGood) throw new Unauthorized('Could not find auth receipt.')
  return receipt.methods
}

async function readReceipt(ctx: Ctx, text: string): Promise<Receipt | undefined> {
  const opened = text.length > 1024 ? undefined : open(await keysFor(ctx, 'token'), text)
  const fields = opened && (decode(opened.plain) as unknown[])
  if (!Array.isArray(fields) || fields[0] !== layout) return undefined
  const [, user_id, methods, generation, expires_at] = fields as [string, string, string[], number, number]
  return ctx.clock.now() < expires_at ? { user_id, methods, generation, expires_at } : undefined
}

/** The answer to a login that needs more, or nothing when it is enough. */
export async function needsMore(
  ctx: Ctx,
  userId: string,
  shown: readonly string[],
  receiptText: string | undefined,
  known: ReadonlySet<string>,
  generation: number,
) {
  const user = (await users.find(ctx.db, { id: userId }))!
  const methods = [...new Set([...shown, ...(await receiptMethods(ctx, user, receiptText))])]
  const rules = rulesOf(user, known)
  if (rules.length === 0 || rules.some(rule => rule.every(method => methods.includes(method)))) return { methods }
  const now = ctx.clock.now()
  const expires_at = now + ctx.config.of(identityConfig).receipt_lifetime_seconds * 1000
  const [key] = await keysFor(ctx, 'token')
  const fields = [layout, userId, methods, generation, expires_at]
  const text = seal(key!, encode(fields), Math.floor(now / 1000), ctx.ids.bytes(16))
  const domain = await projects.find(ctx.db, { id: user.domain_id })
  const body = {
    receipt: {
      methods,
      user: { id: user.id, name: user.name, domain: { id: user.domain_id, name: domain?.name ?? '' } },
      expires_at: isoMicros(expires_at),
      issued_at: isoMicros(now),
    },
    required_auth_methods: rules.filter(rule => rule.some(method => methods.includes(method))),
  }
  return { methods, answer: reply(body, { status: 401, headers: { 'openstack-auth-receipt': text } }) }
}
