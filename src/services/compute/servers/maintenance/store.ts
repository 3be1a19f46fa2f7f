/** Maintenances in the database. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import { goingStates, type MaintainedRow, type MaintenanceRow } from './maintenance.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_maintenances: MaintenanceRow
    compute_maintenance_servers: MaintainedRow
  }
}

export const maintenances = rows<MaintenanceRow>('compute_maintenances')

const maintained = rows<MaintainedRow>('compute_maintenance_servers')

const now = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()
const inOrder = { orderBy: [{ column: 'position' as const, direction: 'asc' as const }] }

/** The one of a host (or of all hosts) that goes on. */
export function goingOn(ctx: Ctx, host: string | null): Promise<MaintenanceRow | undefined> {
  return maintenances.find(ctx.db, { host, state: goingStates })
}

export async function existingMaintenance(ctx: Ctx, id: string): Promise<MaintenanceRow> {
  const row = await maintenances.find(ctx.db, { id })
  if (!row) throw new Error(`maintenance ${id} is gone`)
  return row
}

export const serversOf = (ctx: Ctx, maintenance_id: string): Promise<MaintainedRow[]> =>
  maintained.list(ctx.db, { maintenance_id }, inOrder)

const briefly = ['maintenance_id', 'server_id', 'act', 'state'] as const

/** Of many at once: what became of each server. */
export const serversOfMany = (
  ctx: Ctx,
  of: readonly MaintenanceRow[],
): Promise<Pick<MaintainedRow, (typeof briefly)[number]>[]> =>
  maintained.pick(ctx.db, briefly, { maintenance_id: of.map(({ id }) => id) }, inOrder)

export type NewMaintained = Pick<MaintainedRow, 'server_id' | 'from_host'> & Partial<Pick<MaintainedRow, 'to_host'>>

/** They have their turn after those that are there. */
export async function addServers(ctx: Ctx, maintenance_id: string, found: readonly NewMaintained[]): Promise<void> {
  const first = (await serversOf(ctx, maintenance_id)).length
  const plain = { act: null, move: null, state: 'waiting', reason: null, since: now(ctx) } as const
  await maintained.insertMany(
    ctx.db,
    found.map((one, n) => ({ to_host: null, ...one, ...plain, maintenance_id, position: first + n })),
  )
}

export async function updateMaintained(
  ctx: Ctx,
  { maintenance_id, server_id }: Pick<MaintainedRow, 'maintenance_id' | 'server_id'>,
  patch: Partial<MaintainedRow>,
): Promise<void> {
  const since = patch.state === undefined ? {} : { since: now(ctx) }
  await maintained.update(ctx.db, { maintenance_id, server_id }, { ...patch, ...since })
}

/** What had no turn yet never will. */
export async function leaveWaiting(ctx: Ctx, maintenance_id: string, reason: string): Promise<void> {
  await maintained.update(ctx.db, { maintenance_id, state: 'waiting' }, { state: 'left', reason, since: now(ctx) })
}

/** What goes on does so by itself, and nobody looks at its end. */
export async function failGoing(ctx: Ctx, maintenance_id: string, reason: string): Promise<void> {
  await maintained.update(ctx.db, { maintenance_id, state: 'going' }, { state: 'failed', reason, since: now(ctx) })
}

export async function endMaintenance(ctx: Ctx, id: string, patch: Partial<MaintenanceRow>): Promise<void> {
  await maintenances.update(ctx.db, { id }, { ...patch, ended_at: now(ctx) })
}

/** In a transaction. */
export async function forgetMaintenance(ctx: Ctx, id: string): Promise<void> {
  await maintained.remove(ctx.db, { maintenance_id: id })
  await maintenances.remove(ctx.db, { id })
}
