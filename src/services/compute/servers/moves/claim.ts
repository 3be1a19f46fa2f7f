/** Chooses a server's target and claims room there: the move holds what the server has at its source, the server what it gets. */
import type { Ctx } from '#kernel/context.ts'
import type { SagaRun } from '#kernel/saga/saga.ts'
import { tellAll } from '../../events.ts'
import type { HostRow } from '../../hosts/host.ts'
import { hosts } from '../../hosts/store.ts'
import { handOverRoom, releaseRoom } from '../../rooms/steps.ts'
import type { ActionInput } from '../action.ts'
import { NoValidHost, noValidHost } from '../explanation.ts'
import { hasFixedDevice } from '../machine.ts'
import { place } from '../placing.ts'
import type { ServerRow, TaskState } from '../server.ts'
import { existingServer, requireChange } from '../steps.ts'
import { updateServer } from '../store.ts'
import { keepExplanation, requestSpecOf } from '../store-asked.ts'
import type { MoveBody, MoveRow, MoveStatus } from './move.ts'
import { makeRoom } from './steps.ts'
import { existingMove, updateMove } from './store.ts'

export type Claimed = { host: string; node: string; zone: string } | { refused: string }

export interface Wish {
  /** What hosts must be able to do. */
  needs?: 'migrate' | 'live_migrate'
  /** The target that was asked for. */
  to: string | null
  /** The target is taken whatever the filters say. */
  forced?: boolean
  sameHost?: boolean
  status: MoveStatus
}

/** A server that has a host loses nothing by waiting a little for a scheduler that is away. */
export const patienceMs = 60_000

/** In a transaction. A refusal is kept for those who ask why, and changes nothing else. */
async function claim(ctx: Ctx, moveId: string, wish: Wish, signal: AbortSignal): Promise<Claimed> {
  const move = await existingMove(ctx, moveId)
  const server = await existingServer(ctx, move.server_id)
  const spec = await requestSpecOf(ctx, server.id)
  if (!spec) return { refused: `Nothing is known of what was asked for with instance ${server.id}.` }
  await handOverRoom(ctx, server.id, consumer(server, moveId, 'MIGRATION'))
  const { image, project_id, user_id } = server
  const unfit = await unfitHosts(ctx, server, wish)
  const patience = { ms: patienceMs, signal }
  const request = { flavor: move.new_flavor, image, project_id, user_id, ignore: [], unfit, patience }
  const forced = wish.forced ? { forced: true } : {}
  const placing = await place(ctx, { ...request, ...forced, spec: { ...spec, requested_host: wish.to } }, [server.id])
  if (!('hosts' in placing)) {
    await handOverRoom(ctx, moveId, consumer(server, server.id, 'INSTANCE'))
    await keepExplanation(ctx, server.id, placing.explanation)
    return { refused: noValidHost(ctx, placing.explanation).message }
  }
  const { host, node, zone } = placing.hosts[0]!
  const address = (await hosts.find(ctx.db, { name: host }))?.machine.address ?? null
  await updateMove(ctx, moveId, { dest_host: host, dest_node: node, dest_address: address, status: wish.status })
  return { host, node, zone }
}

/** Gives up the target: the server has what it had. */
async function unclaim(ctx: Ctx, moveId: string, claimed: Claimed): Promise<void> {
  if ('refused' in claimed) return
  const move = await existingMove(ctx, moveId)
  await releaseRoom(ctx, move.server_id)
  await handOverRoom(ctx, moveId, consumer(move, move.server_id, 'INSTANCE'))
}

export const consumer = (owner: Pick<MoveRow | ServerRow, 'project_id' | 'user_id'>, id: string, type: string) => ({
  id,
  type,
  project_id: owner.project_id,
  user_id: owner.user_id,
})

/** Hosts that cannot take the server for what they are, with the reason. */
export async function unfitHosts(
  ctx: Ctx,
  server: ServerRow,
  { needs, sameHost }: Pick<Wish, 'needs' | 'sameHost'>,
): Promise<Record<string, string>> {
  const unfit: Record<string, string> = sameHost || server.host === null ? {} : { [server.host]: 'it is there already' }
  // All of them are many.
  if (!needs) return unfit
  const fixed = needs === 'live_migrate' && hasFixedDevice(ctx, server) ? 'the server has a PCI device' : undefined
  const rows = await hosts.list(ctx.db)
  const source = rows.find(row => row.name === server.host)
  for (const row of rows) {
    const why = row === source ? undefined : (fixed ?? away(row, source, needs))
    if (why) unfit[row.name] = why
  }
  return unfit
}

function away(row: HostRow, source: HostRow | undefined, needs: 'migrate' | 'live_migrate'): string | undefined {
  if (!source) return undefined
  if (!source.facts.capabilities[needs]) return `host ${source.name} cannot send guests (${needs})`
  if (!row.facts.capabilities[needs]) return `it cannot take guests of other hosts (${needs})`
  if (row.facts.hypervisor_type !== source.facts.hypervisor_type)
    return `its hypervisor is ${row.facts.hypervisor_type}`
  return undefined
}

/** What a claim gave; throws when no host would do. */
export function granted(claimed: Claimed): Exclude<Claimed, { refused: string }> {
  if ('refused' in claimed) throw new NoValidHost(claimed.refused)
  return claimed
}

export interface Target {
  move: MoveRow
  host: string
  zone: string
}

/** What the server must be busy with for a step to go on, and what its task is from then on. */
export interface Busy {
  with: readonly TaskState[]
  next?: TaskState
  /** Told of it then. */
  tell?: readonly string[]
}

/** The first steps of a move: room is claimed at its target, and made there. */
export async function claimTarget(
  s: SagaRun,
  { server_id: id, body }: ActionInput<MoveBody>,
  busy: Busy,
  wish: (ctx: Ctx) => Wish,
): Promise<Target> {
  const claimed = await s.record(
    'claim',
    async tx => {
      await stillBusy(tx, id, busy)
      const claimed = await claim(tx, body.move, wish(tx), s.signal)
      if (!('refused' in claimed)) await tellMove(tx, body.move, busy)
      return claimed
    },
    (tx, output) => unclaim(tx, body.move, output),
  )
  const { host, zone } = granted(claimed)
  const move = await existingMove(s.ctx, body.move)
  await s.step(`make room on ${host}`, signal => makeRoom(s.ctx, move, host, signal))
  return { move, host, zone }
}

/** The ports of a server that moves are its target's from now on. */
export async function bindToTarget(s: SagaRun, { move, host }: Target, busy: Busy, status?: MoveStatus): Promise<void> {
  const { server_id: id, uuid, source_host } = move
  await s.record(
    `bind ports to ${host}`,
    async tx => {
      await stillBusy(tx, id, busy)
      await tx.services.network.bindPorts(tx, id, host)
      await tellMove(tx, uuid, busy)
      if (status) await updateMove(tx, uuid, { status })
    },
    async tx => {
      await tx.services.network.bindPorts(tx, id, source_host)
    },
  )
}

async function tellMove(ctx: Ctx, moveId: string, { tell: events = [] }: Busy): Promise<void> {
  const { server_id, new_flavor } = await existingMove(ctx, moveId)
  await tellAll(ctx, server_id, events, { new_flavor })
}

async function stillBusy(ctx: Ctx, id: string, { with: tasks, next }: Busy): Promise<void> {
  requireChange(await updateServer(ctx, id, next ? { task_state: next } : {}, { task_state: tasks }), id)
}
