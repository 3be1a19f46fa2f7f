/** Which servers would have to move so that hosts are loaded alike. Hosts are chosen as for any move, so no rule is broken; nothing is changed. */
import type { Ctx } from '#kernel/context.ts'
import { isUp } from '../../hosts/host.ts'
import { hosts } from '../../hosts/store.ts'
import { hostWith, type Loaded, loadOf } from '../host-load.ts'
import { unfitHosts } from '../moves/claim.ts'
import { wouldGet } from '../placing.ts'
import type { ServerRow } from '../server.ts'
import { type Elsewhere, listServers } from '../store.ts'
import { requestSpecOf } from '../store-asked.ts'

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

/** Only reads, so that nobody waits for it: what is found is made sure of when it is carried out. */
export async function balanceOf(ctx: Ctx, wish: BalanceWish): Promise<Balance> {
  const open = (await hosts.list(ctx.db)).filter(host => !host.disabled && isUp(ctx, host))
  const servers = Map.groupBy(await listServers(ctx, { host: open.map(host => host.name) }), server => server.host)
  const all = open.map(host => hostWith(ctx, host, servers.get(host.name) ?? []))
  const before = all.map(one => loadOf(one))
  const moves = await movesFor(ctx, all, wish)
  const rounded = (load: number) => Math.round(load * 10) / 10
  const shown = all.map((one, n) => ({ host: one.host, before: rounded(before[n]!), after: rounded(loadOf(one)) }))
  const told = moves.map(({ server, from_host, host }) => ({ server_id: server.id, from_host, to_host: host }))
  return { hosts: shown, moves: told }
}

interface Move extends Elsewhere {
  server: ServerRow
  from_host: string
}

async function movesFor(ctx: Ctx, all: Loaded[], { spread, most }: BalanceWish): Promise<Move[]> {
  const moves: Move[] = []
  const stuck = new Set<Loaded>()
  while (moves.length < most) {
    const sorted = all.filter(one => !stuck.has(one)).sort((a, b) => loadOf(b) - loadOf(a))
    const fullest = sorted[0]
    const least = Math.min(...all.map(one => loadOf(one)))
    if (!fullest || loadOf(fullest) - least <= spread) break
    const move = await oneFrom(ctx, fullest, all, moves)
    if (move) moves.push(move)
    else stuck.add(fullest)
  }
  return moves
}

/** Takes one server off the host, the largest that helps. */
async function oneFrom(ctx: Ctx, from: Loaded, all: Loaded[], before: readonly Move[]): Promise<Move | undefined> {
  const load = loadOf(from)
  const least = all.reduce((a, b) => (loadOf(a) < loadOf(b) ? a : b))
  // Nothing is gained where the target would be as full as the source is.
  const helps = (server: ServerRow) => loadOf(least, server) < load
  const movable = ({ vm_state, task_state, id }: ServerRow) =>
    vm_state === 'active' && task_state === null && !before.some(move => move.server.id === id)
  const candidates = from.servers.filter(server => movable(server) && helps(server))
  candidates.sort((a, b) => b.memory_mb - a.memory_mb || b.vcpus - a.vcpus)
  for (const server of candidates.slice(0, tries)) {
    const fuller = all.filter(one => one !== from && loadOf(one, server) >= load).map(one => one.host)
    const host = await targetOf(ctx, server, fuller, before)
    const target = all.find(one => one.host === host)
    if (!target) continue
    from.servers = from.servers.filter(one => one !== server)
    target.servers.push(server)
    return { server, from_host: from.host, host: target.host }
  }
  return undefined
}

/** Where the scheduler would move it, once the others are where they are to be. Undefined when no host would do. */
async function targetOf(
  ctx: Ctx,
  server: ServerRow,
  fuller: readonly string[],
  elsewhere: readonly Elsewhere[],
): Promise<string | undefined> {
  const spec = await requestSpecOf(ctx, server.id)
  if (!spec) return undefined
  const { id, image, flavor, project_id, user_id } = server
  const unfit = { ...(await unfitHosts(ctx, server, { needs: 'live_migrate' })) }
  for (const host of fuller) unfit[host] ??= 'it would be fuller than the host that is to be relieved'
  const asked = { flavor, image, project_id, user_id, ignore: [], unfit, spec: { ...spec, requested_host: null } }
  return (await wouldGet(ctx, { ...asked, elsewhere }, id))?.host
}
