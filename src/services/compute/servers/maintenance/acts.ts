/** What a maintenance does to one server: what is to be done, begun, and how it ended. */
import type { Ctx } from '#kernel/context.ts'
import { Fault } from '#kernel/errors.ts'
import { beginAction, requireAllowed, type ServerAction } from '../action.ts'
import { confirmResized } from '../moves/decide.ts'
import { beginLiveMove } from '../moves/live.ts'
import { whyNotLive } from '../moves/migration.ts'
import { beginColdMove } from '../moves/resize.ts'
import { beginOffload } from '../moves/shelve.ts'
import { moves } from '../moves/store.ts'
import { resume, suspend } from '../power.ts'
import type { ServerRow, VmState } from '../server.ts'
import type { Act, MaintainedRow, MaintenanceRow } from './maintenance.ts'

/** `nothing`: the server is already as it is to be. */
export type Way = { act: Act } | { refused: string } | { nothing: string }

/** States that no move can take along, with what to do about them. */
const stays: Partial<Record<VmState, string>> = {
  suspended: 'it is suspended: resume it first',
  rescued: 'it is in rescue mode: unrescue it first',
  resized: 'its resize waits for a decision: confirm or revert it',
  error: 'it is in error: rebuild it, reset its state or delete it',
  'soft-delete': 'it is deleted, and kept to be restored: delete it by force, or restore it',
}

/** What is to be done to a server that nothing else goes on with. */
export async function wayOf(ctx: Ctx, work: MaintenanceRow, row: MaintainedRow, server: ServerRow): Promise<Way> {
  if (server.host !== row.from_host) return { nothing: `it is on ${server.host ?? 'no host'}` }
  const { vm_state } = server
  if (work.kind === 'suspend') return vm_state === 'active' ? { act: 'suspend' } : { nothing: `it is ${vm_state}` }
  if (work.kind === 'resume') return vm_state === 'suspended' ? { act: 'resume' } : { nothing: `it is ${vm_state}` }
  const reason = stays[vm_state]
  if (reason !== undefined) return { refused: reason }
  if (vm_state === 'shelved') return { act: 'offload' }
  return moveOf(ctx, work, row, server)
}

async function moveOf(ctx: Ctx, { live }: MaintenanceRow, { to_host }: MaintainedRow, server: ServerRow): Promise<Way> {
  if (server.vm_state === 'stopped') return { act: 'cold' }
  const why = live === 'no' ? 'this maintenance moves no server that runs' : await whyNotLive(ctx, server, to_host)
  if (why === undefined) return { act: 'live' }
  if (live === 'yes') return { refused: `it cannot move while it runs: ${why}` }
  return server.vm_state === 'active'
    ? { act: 'cold' }
    : { refused: `it is paused, and cannot move while it runs: ${why}` }
}

/** In a transaction. Returns the id of the move, where it is one. Throws what is in the way. */
export async function beginAct(ctx: Ctx, act: Act, server: ServerRow, to: string | null): Promise<string | null> {
  switch (act) {
    case 'live':
      return beginLiveMove(ctx, server, { to, forced: false })
    case 'cold':
      return beginColdMove(ctx, server, to)
    case 'offload':
      await beginOffload(ctx, server)
      return null
    default:
      await beginPower(ctx, act, server)
      return null
  }
}

const power: Record<'suspend' | 'resume', ServerAction> = { suspend, resume }

async function beginPower(ctx: Ctx, name: 'suspend' | 'resume', server: ServerRow): Promise<void> {
  requireAllowed(ctx, server, name)
  await beginAction(ctx, server, { name, event: name, saga: power[name].saga as never, body: null })
}

const ends: Partial<Record<Act, VmState>> = { suspend: 'suspended', resume: 'active', offload: 'shelved_offloaded' }

/** How it ended with a server that is not busy any more. What a cold move left to be decided is confirmed. */
export async function endOf(ctx: Ctx, row: MaintainedRow, server: ServerRow): Promise<'done' | { failed: string }> {
  const { act, move } = row
  if (act === null) return 'done'
  const end = ends[act]
  if (end !== undefined) return server.vm_state === end ? 'done' : { failed: said(server) }
  const made = move === null ? undefined : await moves.find(ctx.db, { uuid: move })
  if (made?.status === 'finished') await confirmResized(ctx, made.uuid, server.id)
  return server.host !== null && server.host !== row.from_host ? 'done' : { failed: said(server) }
}

const said = ({ vm_state, fault }: ServerRow) => fault?.message ?? `it is ${vm_state}`

/** What an error says to operators; undefined for one that is nobody's answer. */
export const refusalOf = (error: unknown): string | undefined => (error instanceof Fault ? error.message : undefined)
