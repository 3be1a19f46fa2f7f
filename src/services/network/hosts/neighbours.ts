/** Tells hosts of their neighbours: those of a network or group in pages, and what changed since a revision. */
import { type Ctx, perCloud } from '#kernel/context.ts'
import { reconciler } from '#kernel/reconcile.ts'
import type { ChangedNeighbours, MemberSpec, NetworkControlMethods } from '../agent/methods.ts'
import type { LeaseSpec } from '../drivers/driver.ts'
import { revisionNow } from './store.ts'
import { changesSince, forgetChanges, leasesOf, membersOf, type Which } from './store-neighbours.ts'

type Asked<M extends keyof NetworkControlMethods> = Parameters<NetworkControlMethods[M]>[0]
type Answered<M extends keyof NetworkControlMethods> = Awaited<ReturnType<NetworkControlMethods[M]>>

/** Ports in an answer. */
const pageSize = 500
/** And bytes: users decide how much DHCP says of a port, and the bus takes 1 MB at most. */
const pageBytes = 700_000
/** More changes of a network or group are told by telling all of it. */
const manyChanges = 500

/** How many revisions' changes are kept: a host that has missed more is told everything. */
const keptRevisions = 20_000

/** Many hosts ask the same: read once as long as nothing changes. */
const answers = perCloud(() => ({ revision: -1, known: new Map<string, Promise<unknown>>() }))

async function once<T>(
  ctx: Ctx,
  question: unknown,
  read: (now: { revision: number; since: number }) => Promise<T>,
): Promise<T> {
  const now = await revisionNow(ctx.db)
  const kept = answers(ctx)
  if (kept.revision < now.revision) Object.assign(kept, { revision: now.revision, known: new Map() })
  const key = JSON.stringify(question)
  const known = kept.known.get(key) as Promise<T> | undefined
  if (known) return known
  const reading = read(now)
  kept.known.set(key, reading)
  reading.catch(() => kept.known.delete(key))
  return reading
}

export function neighboursPage(ctx: Ctx, asked: Asked<'neighbours'>): Promise<Answered<'neighbours'>> {
  return once(ctx, asked, async ({ revision }) => {
    const { kind, id, after } = asked
    const which: Which = { ...(after !== null && { after }), limit: pageSize }
    const { found, next } = await (kind === 'network' ? leasesOf : membersOf)(ctx.db, [id], which)
    return { revision, ...fitting(found.get(id)!, next) }
  })
}

const bytesOf = (answer: object) => Buffer.byteLength(JSON.stringify(answer))

/** As much of a page as the bus takes. */
function fitting(page: LeaseSpec[] | MemberSpec[], next: string | null) {
  let bytes = 0
  const more = page.findIndex((one, at) => {
    bytes += bytesOf(one) + 1
    return bytes > pageBytes && at > 0
  })
  return more < 0 ? { found: page, next } : { found: page.slice(0, more), next: page[more - 1]!.port_id }
}

export function neighbourChangesSince(
  ctx: Ctx,
  asked: Asked<'neighbourChanges'>,
): Promise<Answered<'neighbourChanges'>> {
  return once(ctx, asked, async ({ revision }) => {
    const { networks, groups, since } = asked
    const ids = [...networks, ...groups]
    const changes = await changesSince(ctx.db, [...ids, ''], since)
    // Looked at afterwards, since changes may have been forgotten meanwhile.
    const now = await revisionNow(ctx.db)
    const all = since < now.since || since > now.revision || changes.some(change => change.of_id === '')
    if (all) return { revision, network: [], group: [], unknown: ids }
    const byCircle = Map.groupBy(changes, change => change.of_id)
    const vague = (id: string) => {
      const ports = byCircle.get(id) ?? []
      return ports.length > manyChanges || ports.some(change => change.port_id === '')
    }
    const told = (circles: string[]) => circles.filter(id => byCircle.has(id) && !vague(id))
    const portsOf = (id: string) => byCircle.get(id)!.map(change => change.port_id)
    const network = await changed(ctx, told(networks), portsOf, leasesOf)
    const group = await changed(ctx, told(groups), portsOf, membersOf)
    if (bytesOf({ network, group }) > pageBytes)
      return { revision, network: [], group: [], unknown: ids.filter(id => byCircle.has(id)) }
    return { revision, network, group, unknown: ids.filter(vague) }
  })
}

async function changed<T extends { port_id: string }>(
  ctx: Ctx,
  circles: string[],
  portsOf: (id: string) => string[],
  read: (db: Ctx['db'], ids: string[], which: Which) => Promise<{ found: Map<string, T[]> }>,
): Promise<ChangedNeighbours<T>[]> {
  if (circles.length === 0) return []
  const { found } = await read(ctx.db, circles, { ids: [...new Set(circles.flatMap(portsOf))] })
  return circles.map(id => {
    const now = found.get(id)!
    const there = new Set(now.map(one => one.port_id))
    return { id, now, gone: portsOf(id).filter(port => !there.has(port)) }
  })
}

export const neighbourChanges = reconciler({
  id: 'network.neighbour-changes',
  every: 600_000,
  run: ctx => ctx.transaction(tx => forgetChanges(tx.db, keptRevisions)),
})
