/** Begins a move: its record, the quota for it, the task and the saga, in one transaction. */
import type { Ctx } from '#kernel/context.ts'
import type { Saga } from '#kernel/saga/saga.ts'
import type { EventFacts } from '../../events.ts'
import { type ActionInput, beginAction, requireHost } from '../action.ts'
import { admitGrowth } from '../quota.ts'
import { amountsOf } from '../resources.ts'
import type { ServerFlavor, ServerRow } from '../server.ts'
import type { ActionName } from '../states.ts'
import { updateServer } from '../store.ts'
import type { MoveBody, MoveRow, MoveType } from './move.ts'
import { insertMove } from './store.ts'

export interface BeginMove<Body extends MoveBody> {
  name: ActionName
  event: string
  type: MoveType
  flavor?: ServerFlavor
  to?: string | null
  saga: Saga<ActionInput<Body>>
  body: Omit<Body, 'move'>
  told?: EventFacts
  first?: string
  /** Changes of the server besides. */
  patch?: Partial<ServerRow>
}

/** Returns the move's id. */
export async function beginMove<Body extends MoveBody>(
  ctx: Ctx,
  server: ServerRow,
  begin: BeginMove<Body>,
): Promise<string> {
  const { name, event, saga, type, flavor = server.flavor, told = {} } = begin
  const source_host = requireHost(server)
  const uuid = ctx.ids.uuid()
  await ctx.transaction(async tx => {
    const body = { ...begin.body, move: uuid } as Body
    const first = begin.first ?? `${event}.start`
    await beginAction(tx, server, { name, event, saga, body, told, first })
    const grown = larger(amountsOf(server.image, server.flavor), amountsOf(server.image, flavor))
    const [cores, ram] = [grown.vcpus - server.vcpus, grown.memory_mb - server.memory_mb]
    const more = { cores, ram, disk: grown.disk_gb - server.disk_gb }
    if (Object.values(more).some(amount => amount > 0)) await admitGrowth(tx, server, more)
    await updateServer(tx, server.id, { progress: 0, ...grown, ...begin.patch })
    await insertMove(tx, {
      ...recordOf(server, source_host),
      uuid,
      type,
      dest_host: begin.to ?? null,
      new_flavor: flavor,
    })
  })
  return uuid
}

/** Until it is decided which flavor stays, the larger amounts count: then going back is always possible. */
const larger = (a: Amounts, b: Amounts): Amounts => ({
  vcpus: Math.max(a.vcpus, b.vcpus),
  memory_mb: Math.max(a.memory_mb, b.memory_mb),
  disk_gb: Math.max(a.disk_gb, b.disk_gb),
})

type Amounts = ReturnType<typeof amountsOf>

function recordOf(server: ServerRow, source_host: string) {
  return {
    server_id: server.id,
    project_id: server.project_id,
    user_id: server.user_id,
    status: 'accepted',
    source_host,
    source_node: server.node,
    dest_node: null,
    dest_address: null,
    old_zone: server.availability_zone,
    old_flavor: server.flavor,
    old_vm_state: server.vm_state,
  } satisfies Partial<MoveRow>
}
