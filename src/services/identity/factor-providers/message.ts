/** A factor whose codes are made here and brought to the user's telephone by a gateway. Each is good once, for a while, for a few tries. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Ctx } from '#kernel/context.ts'
import { messageOf, Unavailable } from '#kernel/errors.ts'
import { limitedFetch } from '../limited-fetch.ts'
import type { MessageSettings } from './config.ts'
import type { Factor, FactorUser } from './factor-provider.ts'
import { factorCodes, takeAttempt } from './store.ts'

/** Nobody's telephone rings more often. */
const betweenMs = 30_000

/** With the user and the factor: a code is nobody else's. */
const hashed = (factor: string, user: FactorUser, code: string) =>
  createHash('sha256').update(`${factor}\n${user.id}\n${code}`).digest('hex')

/** Six digits, all as likely. */
function newCode(ctx: Ctx): string {
  // 4 294 000 000 is a multiple of a million; above it some digits would be likelier.
  for (;;) {
    const number = ctx.ids.bytes(4).readUInt32BE()
    if (number < 4_294_000_000) return String(number % 1_000_000).padStart(6, '0')
  }
}

async function send(ctx: Ctx, settings: MessageSettings, to: string, code: string): Promise<void> {
  const { url, authorization, text = '%(code)s is your code to log in.' } = settings
  const options = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
    body: JSON.stringify({ to, text: text.replaceAll('%(code)s', code) }),
  }
  const status = await limitedFetch(url, options).then(answer => answer.status, messageOf)
  if (typeof status === 'number' && status < 300) return
  ctx.log.warn({ gateway: new URL(url).host, answer: status }, 'the gateway for codes did not take one')
  throw new Unavailable('The code could not be sent: try again later, or log in another way.')
}

export function messageFactor(ctx: Ctx, factor: string, settings: MessageSettings): Factor {
  const { code_seconds = 300, attempts = 5 } = settings
  return {
    async begin(user) {
      const key = { user_id: user.id, factor }
      const now = ctx.clock.now()
      const old = await factorCodes.find(ctx.db, key)
      if (old && now < old.sent_at + betweenMs) return
      const code = newCode(ctx)
      await ctx.transaction(async tx => {
        await factorCodes.remove(tx.db, key)
        const expires_at = now + code_seconds * 1000
        const code_hash = hashed(factor, user, code)
        await factorCodes.insert(tx.db, { ...key, code_hash, sent_at: now, expires_at, attempts_left: attempts })
      })
      for (const to of user.addresses) await send(ctx, settings, to, code)
    },
    async isRight(user, passcode) {
      const key = { user_id: user.id, factor }
      if (!(await takeAttempt(ctx.db, key, ctx.clock.now()))) return false
      const row = await factorCodes.find(ctx.db, key)
      const given = Buffer.from(hashed(factor, user, passcode))
      if (!row || !timingSafeEqual(Buffer.from(row.code_hash), given)) return false
      return (
        (await factorCodes.update(
          ctx.db,
          { ...key, code_hash: row.code_hash },
          { attempts_left: 0, code_hash: '' },
        )) === 1
      )
    },
  }
}
