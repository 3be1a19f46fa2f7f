/** Tokens of consoles in the database, which keeps their digests alone. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import type { ConsoleTokenRow } from './console.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_console_tokens: ConsoleTokenRow
  }
}

const tokens = rows<ConsoleTokenRow>('compute_console_tokens')

const now = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()

/** Keeps a token; those that have expired go. */
export async function keepToken(ctx: Ctx, row: ConsoleTokenRow): Promise<void> {
  await tokens.remove(ctx.db, { expires_at: { op: '<=', value: now(ctx) } })
  await tokens.insert(ctx.db, row)
}

/** The token, unless it has expired. */
export function validToken(ctx: Ctx, token_hash: string): Promise<ConsoleTokenRow | undefined> {
  return tokens.find(ctx.db, { token_hash, expires_at: { op: '>', value: now(ctx) } })
}
