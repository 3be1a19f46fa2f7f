/** What goes on with hosts, counted from their servers. */
import { sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import type { TaskState } from './server.ts'
import { cellDatabases } from './store-cells.ts'

export interface Load {
  servers: number
  /** Those of one project. */
  own_servers: number
  /** How many servers are being built, copied or moved. */
  io_ops: number
}

/** By host. */
export type Loads = ReadonlyMap<string, Load>

const busyTasks: readonly TaskState[] = [
  ...(['rebuilding', 'resize_prep', 'resize_migrating', 'rescuing', 'unshelving'] as const),
  ...(['image_snapshot', 'image_backup'] as const),
]

/** Of all hosts with servers; `project` is whose own ones are counted. */
export async function loadsOfHosts(ctx: Ctx, project = ''): Promise<Loads> {
  const loads = new Map<string, Load>()
  for (const db of cellDatabases(ctx.cells)) {
    const counted = await db
      .selectFrom('compute_servers')
      .select(({ fn }) => [
        ...(['host', 'vm_state', 'task_state'] as const),
        fn.countAll().as('n'),
        sql<number>`sum(case when project_id = ${project} then 1 else 0 end)`.as('own'),
      ])
      .where('host', 'is not', null)
      .groupBy(['host', 'vm_state', 'task_state'])
      .execute()
    for (const { host, vm_state, task_state, n, own } of counted) {
      const load = loads.get(host!) ?? { servers: 0, own_servers: 0, io_ops: 0 }
      load.servers += Number(n)
      load.own_servers += Number(own)
      if (vm_state === 'building' || (task_state !== null && busyTasks.includes(task_state))) load.io_ops += Number(n)
      loads.set(host!, load)
    }
  }
  return loads
}
