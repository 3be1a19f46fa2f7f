/** What a host's report changes: its row and agents, and the status of what it carries. */
import { isoSeconds } from '#kernel/clock.ts'
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import type { HostReport, NetworkControlMethods } from '../agent/methods.ts'
import { floatingIpRows } from '../floating-ips/store.ts'
import { dhcpDevice, type PortRow, portRows } from '../ports/store.ts'
import { changed } from '../revision.ts'
import { routerRows } from '../routers/store.ts'
import { agentTypes } from './agents.ts'
import { agentRows, answerTo, grow, hostRows } from './store.ts'

/** Of one host; more would tell no one more. */
const keptProblems = 200

export type Report = Parameters<NetworkControlMethods['report']>[0]

/**
 * Keeps a report and returns the revision that the host should have. Not in one transaction: users' changes lock the same rows in other
 * orders, and every statement here is true by itself. The host's row comes last, so that who sees it sees the rest.
 */
export async function keepReport(ctx: Ctx, report: Report): Promise<number> {
  const { host, started, converged } = report
  if (converged) await keepConverged(ctx.db, host, converged)
  // Most reports are of a host that is known and goes on: one statement keeps them.
  if (started || !(await keepSeen(ctx, report))) await ctx.transaction(tx => keepHost(tx, report))
  const { revision, homeless } = await answerTo(ctx.db, host)
  if (!homeless) return revision
  await takeRouters(ctx, host)
  return (await answerTo(ctx.db, host)).revision
}

const problemsIn = ({ facts }: Report) => facts.problems.map(message => ({ id: '', message }))

/** False when the host is not known. */
async function keepSeen(ctx: Ctx, report: Report): Promise<boolean> {
  return (await hostRows.update(ctx.db, { host: report.host }, seenIn(ctx, report))) > 0
}

function seenIn(ctx: Ctx, report: Report) {
  const { facts, alone = false, started, converged } = report
  const now = new Date(ctx.clock.now()).toISOString()
  return {
    plane: facts.name,
    extensions: facts.extensions,
    heartbeat_at: now,
    alone,
    // Perhaps the machine has started too, and then no tap is there until the agent says so again.
    ...(started && { started_at: now, applied_revision: 0 }),
    ...(converged && {
      problems: [...problemsIn(report), ...converged.report.problems].slice(0, keptProblems),
      applied_revision: converged.report.revision,
    }),
  }
}

async function keepHost(ctx: Ctx, report: Report): Promise<void> {
  const { host, started } = report
  if (!(await keepSeen(ctx, report))) {
    // Grown here, so that a change that is made at this moment either is seen by the host or finds its row.
    const revision = await grow(ctx.db)
    const revisions = { wanted_revision: revision, own_revision: revision, applied_revision: 0 }
    const seen = seenIn(ctx, report)
    const row = { host, problems: problemsIn(report), started_at: seen.heartbeat_at, ...revisions, ...seen }
    await hostRows.insert(ctx.db, row)
    ctx.log.info({ host }, 'a new host reports its network')
  }
  if (started) await keepAgents(ctx, host)
}

async function keepAgents(ctx: Ctx, host: string): Promise<void> {
  const known = new Set((await agentRows.list(ctx.db, { host })).map(agent => agent.agent_type))
  const missing = Object.keys(agentTypes).filter(type => !known.has(type))
  const created_at = isoSeconds(ctx.clock.now())
  await agentRows.insertMany(
    ctx.db,
    missing.map(agent_type => ({
      id: ctx.ids.uuid(),
      host,
      agent_type,
      admin_state_up: true,
      description: '',
      created_at,
    })),
  )
}

/** Takes up the routers that were made while there was no host. */
async function takeRouters(ctx: Ctx, host: string): Promise<void> {
  const routers = (await routerRows.list(ctx.db, { host: null })).map(router => router.id)
  if (routers.length === 0) return
  await ctx.transaction(async tx => {
    await routerRows.update(tx.db, { id: routers, host: null }, { host })
    await changed(tx, { routers })
  })
}

async function keepConverged(db: Db, host: string, { report, carried }: HostReport): Promise<void> {
  const taps = new Map(report.wired.map(({ port_id, tap }) => [port_id, tap]))
  for (const port of await portRows.list(db, { binding_host_id: host })) {
    if (port.device_owner.startsWith('network:')) continue
    const tap = taps.get(port.id) ?? null
    const status = tap && port.admin_state_up ? 'ACTIVE' : 'DOWN'
    if (status !== port.status || !sameTap(tap, port.tap))
      // Bound elsewhere meanwhile: then it is no longer this host's to tell.
      await portRows.update(db, { id: port.id, binding_host_id: host }, { status, tap })
  }
  const broken = new Set(report.problems.map(problem => problem.id))
  await keepRouters(db, host, carried.routers, broken)
  await keepFloatingIps(db, carried.floating_ips, broken)
  await activate(db, carried.networks.map(dhcpDevice), ['network:dhcp'])
}

const sameTap = (a: PortRow['tap'], b: PortRow['tap']) => a?.name === b?.name && a?.netns === b?.netns

/** The cloud's own ports of routers and DHCP are up where these are. */
async function activate(db: Db, devices: string[], owners: string[]): Promise<void> {
  const down = await portRows.list(db, { device_id: devices, device_owner: owners, status: 'DOWN' })
  for (const { id } of down) await portRows.update(db, { id }, { status: 'ACTIVE' })
}

async function keepRouters(db: Db, host: string, carried: string[], broken: Set<string>): Promise<void> {
  await routerRows.update(db, { id: carried, host, status: 'DOWN' }, { status: 'ACTIVE' })
  await routerRows.update(db, { id: [...broken], host, status: 'ACTIVE' }, { status: 'DOWN' })
  await activate(db, carried, ['network:router_interface', 'network:router_gateway'])
}

async function keepFloatingIps(db: Db, carried: string[], broken: Set<string>): Promise<void> {
  const tied = { fixed_port_id: { op: '!=', value: null } } as const
  await floatingIpRows.update(db, { id: carried, ...tied, status: ['DOWN', 'ERROR'] }, { status: 'ACTIVE' })
  await floatingIpRows.update(db, { id: [...broken], ...tied, status: ['DOWN', 'ACTIVE'] }, { status: 'ERROR' })
}
