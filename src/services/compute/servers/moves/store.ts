/** Moves in the database. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import { numberFlavors } from '../../flavors/store-numbers.ts'
import { endedStatuses, type MoveRow, type MoveStatus, openStatuses } from './move.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_migrations: MoveRow
  }
}

export const moves = rows<MoveRow>('compute_migrations', { json: ['old_flavor', 'new_flavor'] })

const now = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()

export async function insertMove(ctx: Ctx, row: Omit<MoveRow, 'id' | 'created_at' | 'updated_at'>): Promise<void> {
  await numberFlavors(ctx, [row.old_flavor.id, row.new_flavor.id])
  await moves.insert(ctx.db, { ...row, created_at: now(ctx), updated_at: now(ctx) } as MoveRow)
}

export async function updateMove(ctx: Ctx, uuid: string, patch: Partial<MoveRow>): Promise<void> {
  await moves.update(ctx.db, { uuid }, { ...patch, updated_at: now(ctx) })
}

/** The move of a running saga. */
export async function existingMove(ctx: Ctx, uuid: string): Promise<MoveRow> {
  const move = await moves.find(ctx.db, { uuid })
  if (!move) throw new Error(`move ${uuid} is gone`)
  return move
}

/** Moves of a server that are not over. */
export function openMoves(ctx: Ctx, server_id: string): Promise<MoveRow[]> {
  return moves.list(ctx.db, { server_id, status: openStatuses })
}

/** The newest move of a server in one of these statuses. */
export async function moveIn(ctx: Ctx, server_id: string, status: readonly MoveStatus[]): Promise<MoveRow | undefined> {
  const newest = { orderBy: [{ column: 'id' as const, direction: 'desc' as const }], limit: 1 }
  return (await moves.list(ctx.db, { server_id, status }, newest))[0]
}

/** Removes moves that ended before a time (ISO 8601), some hundreds at once. */
export async function forgetMoves(ctx: Ctx, before: string): Promise<void> {
  const old = { status: endedStatuses, updated_at: { op: '<', value: before } } as const
  for (;;) {
    const ids = (await moves.pick(ctx.db, ['id'], old, { limit: 500 })).map(row => row.id)
    await moves.remove(ctx.db, { id: ids })
    if (ids.length < 500) return
  }
}
