/** Which hosts projects have, or had, for themselves. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import { hosts } from '../hosts/store.ts'

export interface DedicatedHostRow {
  id: string
  host: string
  project_id: string
  /** What the host had when it began: that is what is paid for. */
  vcpus: number
  memory_mb: number
  local_gb: number
  started_at: string
  /** Null while the project has it. */
  ended_at: string | null
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_dedicated_hosts: DedicatedHostRow
  }
}

export const dedicatedHosts = rows<DedicatedHostRow>('compute_dedicated_hosts')

/** In a transaction. False when nobody has it. */
export async function endDedication(ctx: Ctx, host: string): Promise<boolean> {
  await hosts.update(ctx.db, { name: host }, { dedicated_to: null })
  const ended_at = new Date(ctx.clock.now()).toISOString()
  return (await dedicatedHosts.update(ctx.db, { host, ended_at: null }, { ended_at })) > 0
}

/** Those that projects had at some time of a period, oldest first. */
export async function dedicatedIn(
  ctx: Ctx,
  { start, stop }: { start: number; stop: number },
  project?: string,
): Promise<DedicatedHostRow[]> {
  const order = { orderBy: [{ column: 'started_at' as const, direction: 'asc' as const }] }
  const all = await dedicatedHosts.list(ctx.db, project === undefined ? {} : { project_id: project }, order)
  return all.filter(
    ({ started_at, ended_at }) => Date.parse(started_at) < stop && (ended_at === null || Date.parse(ended_at) > start),
  )
}
