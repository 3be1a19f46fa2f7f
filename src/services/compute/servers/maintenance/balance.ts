/** Which servers would have to move so that hosts are loaded alike. Hosts are chosen as for any move, so no rule is broken; nothing is changed. */
import type { Ctx } from '#kernel/context.ts'
import { isUp } from '../../hosts/host.ts'
import { hosts } from '../../hosts/store.ts'
import { handOverRoom, releaseRoom } from '../../rooms/steps.ts'
import { hostWith, type Loaded, loadOf } from '../host-load.ts'
import { consumer, unfitHosts } from '../moves/claim.ts'
import { place } from '../placing.ts'
import type { ServerRow } from '../server.ts'
import { listServers, requestSpecOf, updateServer } from '../store.ts'
import { tryOut } from '../trial.ts'

export interface BalanceWish {
  /** In percent: how far the fullest host may be from the emptiest. */
  spread: number
  /** Most moves. */
  most: number
}

export interface Balance {
  /** Load of each host in percent of what it offers, before and after. */
  hosts: { host: string; before: number; after: number }[]
  moves: { server_id: string; from_host: string; to_host: string }[]
}

/** Servers of a host that are tried before it counts as one that nothing can leave. */
const tries = 10

export function balanceOf(ctx: Ctx, wish: BalanceWish): Promise<Balance> {
  return tryOut(ctx, async tx => {
    const open = (await hosts.list(tx.db)).filter(host => !host.disabled && isUp(tx, host))
    const servers = Map.groupBy(await listServers(tx, { host: open.map(host => host.name) }), server => server.host)
    const all = open.map(host => hostWith(tx, host, servers.get(host.name) ?? []))
    const before = all.map(one => loadOf(one))
    const moves = await movesFor(tx, all, wish)
    const rounded = (load: number) => Math.round(load * 10) / 10
    const shown = all.map((one, n) => ({ host: one.host, before: rounded(before[n]!), after: rounded(loadOf(one)) }))
    return { hosts: shown, moves }
  })
}

async function movesFor(ctx: Ctx, all: Loaded[], { spread, most }: BalanceWish): Promise<Balance['moves']> {
  const moves: Balance['moves'] = []
  const stuck = new Set<Loaded>()
  const moved = new Set<string>()
  while (moves.length < most) {
    const sorted = all.filter(one => !stuck.has(one)).sort((a, b) => loadOf(b) - loadOf(a))
    const fullest = sorted[0]
    const least = Math.min(...all.map(one => loadOf(one)))
    if (!fullest || loadOf(fullest) - least <= spread) break
    const move = await oneFrom(ctx, fullest, all, moved)
    if (move) moves.push(move)
    else stuck.add(fullest)
  }
  return moves
}

/** Takes one server off the host, the largest that helps. */
async function oneFrom(ctx: Ctx, from: Loaded, all: Loaded[], moved: Set<string>) {
  const load = loadOf(from)
  const least = all.reduce((a, b) => (loadOf(a) < loadOf(b) ? a : b))
  // Nothing is gained where the target would be as full as the source is.
  const helps = (server: ServerRow) => loadOf(least, server) < load
  const movable = ({ vm_state, task_state, id }: ServerRow) =>
    vm_state === 'active' && task_state === null && !moved.has(id)
  const candidates = from.servers.filter(server => movable(server) && helps(server))
  candidates.sort((a, b) => b.memory_mb - a.memory_mb || b.vcpus - a.vcpus)
  for (const server of candidates.slice(0, tries)) {
    const fuller = all.filter(one => one !== from && loadOf(one, server) >= load).map(one => one.host)
    const to_host = await moveTried(ctx, server, fuller)
    const target = all.find(one => one.host === to_host)
    if (!target) continue
    from.servers = from.servers.filter(one => one !== server)
    target.servers.push(server)
    moved.add(server.id)
    return { server_id: server.id, from_host: from.host, to_host: target.host }
  }
  return undefined
}

/** Where the scheduler would move it; those that are chosen for later find it there. Undefined when no host would do. */
async function moveTried(ctx: Ctx, server: ServerRow, fuller: readonly string[]): Promise<string | undefined> {
  const spec = await requestSpecOf(ctx, server.id)
  if (!spec) return undefined
  const { id, image, flavor, project_id, user_id } = server
  const holder = ctx.ids.uuid()
  await handOverRoom(ctx, id, consumer(server, holder, 'MIGRATION'))
  const unfit = { ...(await unfitHosts(ctx, server, { needs: 'live_migrate' })) }
  for (const host of fuller) unfit[host] ??= 'it would be fuller than the host that is to be relieved'
  const asked = { flavor, image, project_id, user_id, ignore: [], unfit, spec: { ...spec, requested_host: null } }
  const placing = await place(ctx, asked, [id])
  if (!('hosts' in placing)) {
    await handOverRoom(ctx, holder, consumer(server, id, 'INSTANCE'))
    return undefined
  }
  await releaseRoom(ctx, holder)
  const { host, node } = placing.hosts[0]!
  await updateServer(ctx, id, { host, node })
  return host
}
