/** Several factors: which methods a user's login needs, and the receipt for those that were shown so far. */
import { decode, encode } from '@msgpack/msgpack'
import { isoMicros } from '#kernel/clock.ts'
import type { Ctx } from '#kernel/context.ts'
import { Unauthorized } from '#kernel/errors.ts'
import { type Reply, reply } from '#kernel/operation.ts'
import { identityConfig } from '../config.ts'
import { open, seal } from '../fernet.ts'
import { keysFor } from '../keys/key.ts'
import { type ProjectRow, projects } from '../projects/store.ts'
import { isRevoked } from '../revocations/revocation.ts'
import { type UserRow, users } from '../users/store.ts'
import { type Demand, demandOf, isMet, waysOn } from './demand.ts'
import { knownFactors, knownMethods } from './methods.ts'
import type { Root } from './mint.ts'

/** Tells a receipt from a token: both are sealed with the same keys. */
const layout = 'receipt'

interface Receipt {
  user_id: string
  methods: string[]
  /** The generation in which it was made: what ended the user's tokens since then ends it. */
  generation: number
  expires_at: number
  /** What tokens go back to that are made with it. */
  root?: Root | undefined
}

/** What the user's options ask for, without methods that this cloud does not know: nobody is locked out by a word. */
function demandOfUser({ options }: UserRow, known: ReadonlySet<string>): Demand {
  if (options.multi_factor_auth_enabled === false) return demandOf({})
  const { rules, count } = demandOf(options)
  const possible = rules.map(rule => rule.filter(method => known.has(method))).filter(rule => rule.length > 0)
  return { rules: possible, count }
}

/** The receipt that the request carries; undefined without one. */
async function receiptOf(ctx: Ctx, user: UserRow, text: string | undefined): Promise<Receipt | undefined> {
  if (!text) return undefined
  const receipt = await readReceipt(ctx, text)
  const isGood = receipt?.user_id === user.id && receipt.generation >= user.tokens_after
  const isEnded = receipt?.root && (await isRevoked(ctx, receipt.root.audit_id))
  if (!receipt || !isGood || isEnded) throw new Unauthorized('Could not find auth receipt.')
  return receipt
}

type Fields = [string, string, string[], number, number, string?, number?]

async function readReceipt(ctx: Ctx, text: string): Promise<Receipt | undefined> {
  const opened = text.length > 1024 ? undefined : open(await keysFor(ctx, 'token'), text)
  const fields = opened && (decode(opened.plain) as unknown[])
  if (!Array.isArray(fields) || fields[0] !== layout) return undefined
  const [, user_id, methods, generation, expires_at, audit_id, until] = fields as Fields
  if (ctx.clock.now() >= expires_at) return undefined
  const root = audit_id ? { audit_id, ...(typeof until === 'number' && { until }) } : undefined
  return { user_id, methods, generation, expires_at, root }
}

export interface Shown {
  user_id: string
  methods: readonly string[]
  /** Of an earlier request. */
  receipt?: string | undefined
  generation: number
  /** Factors whose code is on its way to the user. */
  begun?: readonly string[]
  /** What the token will go back to. */
  root?: Root | undefined
}

/** The answer to a login that needs more, or nothing when it is enough; what all that was shown goes back to. */
export async function needsMore(ctx: Ctx, { receipt: text, begun = [], ...now }: Shown) {
  const user = (await users.find(ctx.db, { id: now.user_id }))!
  const receipt = await receiptOf(ctx, user, text)
  const methods = [...new Set([...now.methods, ...(receipt?.methods ?? [])])]
  if (methods.length === 0) throw new Unauthorized()
  // The end of either login would have to end the token.
  if (now.root && receipt?.root && now.root.audit_id !== receipt.root.audit_id) throw new Unauthorized()
  const root = now.root ?? receipt?.root
  const shown = { ...now, methods, root }
  const demand = demandOfUser(user, new Set([...knownMethods(ctx), ...methods]))
  if (isMet(demand, methods)) {
    if (begun.length === 0) return { methods, root }
    return { methods, root, answer: await withReceipt(ctx, user, shown, [[...methods, ...begun]]) }
  }
  const ways = waysOn(demand, methods, knownFactors(ctx))
  return { methods, root, answer: await withReceipt(ctx, user, shown, ways) }
}

/** The same for the project that a token is wanted for. Who comes by a delegation cannot show more. */
export async function projectNeedsMore(
  ctx: Ctx,
  shown: Shown,
  project: ProjectRow | undefined,
  isDelegated: boolean,
): Promise<Reply | undefined> {
  const demand = demandOf(project?.options ?? {})
  if (isMet(demand, shown.methods)) return undefined
  const ways = waysOn(demand, shown.methods, knownFactors(ctx))
  if (isDelegated || shown.methods.length === 0) {
    throw new Unauthorized(`The project ${project!.id} asks for more factors: ${JSON.stringify(ways)}.`)
  }
  const methods = shown.methods.filter(method => method !== 'token')
  return withReceipt(ctx, (await users.find(ctx.db, { id: shown.user_id }))!, { ...shown, methods }, ways)
}

/** A refusal that says what would do, with a receipt for what was shown. */
async function withReceipt(
  ctx: Ctx,
  user: UserRow,
  { methods, generation, root }: Shown,
  ways: string[][],
): Promise<Reply> {
  const now = ctx.clock.now()
  const end = now + ctx.config.of(identityConfig).receipt_lifetime_seconds * 1000
  const expires_at = Math.min(end, root?.until ?? end)
  const [key] = await keysFor(ctx, 'token')
  const fields = [
    layout,
    user.id,
    methods,
    generation,
    expires_at,
    ...(root ? [root.audit_id, root.until ?? null] : []),
  ]
  const text = seal(key!, encode(fields), Math.floor(now / 1000), ctx.ids.bytes(16))
  const domain = await projects.find(ctx.db, { id: user.domain_id })
  const body = {
    receipt: {
      methods,
      user: { id: user.id, name: user.name, domain: { id: user.domain_id, name: domain?.name ?? '' } },
      expires_at: isoMicros(expires_at),
      issued_at: isoMicros(now),
    },
    required_auth_methods: ways,
  }
  return reply(body, { status: 401, headers: { 'openstack-auth-receipt': text } })
}
