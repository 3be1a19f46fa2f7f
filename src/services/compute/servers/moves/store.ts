/** Moves in the database. */
import { sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import { type MoveRow, type MoveStatus, openStatuses } from './move.ts'

interface FlavorNumberRow {
  number: number
  flavor_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_migrations: MoveRow
    compute_flavor_numbers: FlavorNumberRow
  }
}

export const moves = rows<MoveRow>('compute_migrations', { json: ['old_flavor', 'new_flavor'] })

const flavorNumbers = rows<FlavorNumberRow>('compute_flavor_numbers')

const now = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()

export async function insertMove(ctx: Ctx, row: Omit<MoveRow, 'id' | 'created_at' | 'updated_at'>): Promise<void> {
  await numberFlavors(ctx, [row.old_flavor.id, row.new_flavor.id])
  await moves.insert(ctx.db, { ...row, created_at: now(ctx), updated_at: now(ctx) } as MoveRow)
}

/** Gives each flavor a number, which it keeps. */
async function numberFlavors(ctx: Ctx, ids: readonly string[]): Promise<void> {
  // In one order everywhere, so that no two wait for each other.
  for (const id of [...new Set(ids)].sort()) {
    await sql`insert into compute_flavor_numbers (flavor_id) values (${id}) on conflict (flavor_id) do nothing`.execute(
      ctx.db,
    )
  }
}

/** Numbers of flavors by their ids. */
export async function numbersOfFlavors(ctx: Ctx, found: readonly MoveRow[]): Promise<Map<string, number>> {
  const ids = new Set(found.flatMap(({ old_flavor, new_flavor }) => [old_flavor.id, new_flavor.id]))
  const numbers = await flavorNumbers.list(ctx.db, { flavor_id: [...ids] })
  return new Map(numbers.map(row => [row.flavor_id, row.number]))
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
