/** Maintenances: empty a host, suspend what runs there and bring it back; watched and cancelled. Not upstream's. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { computeConfig } from '../../config.ts'
import { afterMarker, hostName, linksSchema, newestFirst, pageQuery, paging } from '../../dialect.ts'
import { type HostRow, isUp } from '../../hosts/host.ts'
import { changeHost } from '../../hosts/steps.ts'
import { hosts } from '../../hosts/store.ts'
import { liveWish } from '../moves/migration.ts'
import { serversOn } from '../store.ts'
import { type BalanceWish, balanceOf } from './balance.ts'
import { type MaintainedRow, type MaintenanceKind, type MaintenanceRow, nameOf, serverStates } from './maintenance.ts'
import { cancelMaintenance, maintenanceSaga, tellMaintenance } from './saga.ts'
import { addServers, goingOn, maintenances, type NewMaintained, serversOf, serversOfMany } from './store.ts'

const ruleOf = (verb: string) => rule(`nephos:maintenances:${verb}`, admin)
/** In percent of what hosts offer: how far the fullest may be from the emptiest. */
const spread = Type.Integer({ minimum: 1, maximum: 100 })
const most = Type.Integer({ minimum: 1, maximum: 100 })
const nullable = Type.Union([Type.String(), Type.Null()])

const maintenance = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  host: nullable,
  live: Type.String(),
  together: Type.Integer(),
  state: Type.String(),
  problem: nullable,
  created_at: Type.String(),
  ended_at: nullable,
  /** How many servers are in each state. */
  counts: Type.Record(Type.String(), Type.Integer()),
})

const server = Type.Object({
  server_id: Type.String(),
  state: Type.String(),
  act: nullable,
  from_host: Type.String(),
  to_host: nullable,
  migration_uuid: nullable,
  reason: nullable,
})

function view(row: MaintenanceRow, rows: readonly Pick<MaintainedRow, 'state'>[]): Static<typeof maintenance> {
  const counts = serverStates.map(state => [state, rows.filter(one => one.state === state).length] as const)
  return { ...row, counts: Object.fromEntries(counts) }
}

const serverView = ({ server_id, state, act, from_host, to_host, move, reason }: MaintainedRow) => ({
  ...{ server_id, state, act, from_host, to_host, reason },
  migration_uuid: move,
})

async function detailed(ctx: Ctx, row: MaintenanceRow) {
  const rows = await serversOf(ctx, row.id)
  return { maintenance: { ...view(row, rows), servers: rows.map(serverView) } }
}

const shown = Type.Object({
  maintenance: Type.Intersect([maintenance, Type.Object({ servers: Type.Array(server) })]),
})

async function knownMaintenance(ctx: Ctx, id: string): Promise<MaintenanceRow> {
  const row = await maintenances.find(ctx.db, { id })
  if (!row) throw new NotFound(`Maintenance ${id} could not be found.`)
  return row
}

const list = operation({
  id: 'compute.maintenances.list',
  method: 'GET',
  path: '/v2.1/os-maintenances',
  summary: 'List maintenances of hosts, the newest first',
  policy: ruleOf('list'),
  query: Type.Object({ host: Type.Optional(hostName), ...pageQuery }, { additionalProperties: false }),
  response: Type.Object({ maintenances: Type.Array(maintenance), maintenances_links: Type.Optional(linksSchema) }),
  async handle(ctx, { query: { host, limit, marker }, url }) {
    const after = await afterMarker(marker, id => maintenances.find(ctx.db, { id }))
    const page = paging(ctx, limit)
    const found = await maintenances.list(ctx.db, { host }, { ...newestFirst, ...after, limit: page.limit })
    const rows = Map.groupBy(await serversOfMany(ctx, found), row => row.maintenance_id)
    const links = page.links('maintenances_links', url, found.length, found.at(-1)?.id)
    return { maintenances: found.map(row => view(row, rows.get(row.id) ?? [])), ...links }
  },
})

const show = operation({
  id: 'compute.maintenances.show',
  method: 'GET',
  path: '/v2.1/os-maintenances/{maintenance_id}',
  summary: 'Show a maintenance, and what became of each server',
  policy: ruleOf('show'),
  response: shown,
  handle: async (ctx, { params }) => detailed(ctx, await knownMaintenance(ctx, params.maintenance_id)),
})

const create = operation({
  id: 'compute.maintenances.create',
  method: 'POST',
  path: '/v2.1/os-maintenances',
  summary: 'Empty a host, suspend all that runs there, or resume it',
  policy: ruleOf('create'),
  request: Type.Object(
    {
      maintenance: Type.Object(
        {
          kind: Type.Union([
            Type.Literal('drain'),
            Type.Literal('suspend'),
            Type.Literal('resume'),
            Type.Literal('balance'),
          ]),
          /** Of all kinds but `balance`, which is about all hosts. */
          host: Type.Optional(hostName),
          spread: Type.Optional(spread),
          most: Type.Optional(most),
          live: Type.Optional(liveWish),
          together: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
        },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  response: shown,
  async handle(ctx, { body: { maintenance: asked } }) {
    const { kind, live = 'auto', host: name } = asked
    if (kind === 'balance') {
      if (name !== undefined) throw new BadRequest('A balance is about all hosts: leave out host.')
      return reply(await detailed(ctx, await beginBalance(ctx, asked)), { status: 202 })
    }
    if (name === undefined) throw new BadRequest(`Say with host which one to ${kind}.`)
    const row = await ctx.transaction(async tx => {
      const host = await hosts.find(tx.db, { name })
      if (!host) throw new NotFound(`Compute host ${name} could not be found.`)
      if (!isUp(tx, host)) throw new Conflict(whyDown[kind](name))
      const made = await beginMaintenance(tx, { kind, host: name, live, together: asked.together }, () =>
        serversFor(tx, kind, host),
      )
      if (kind !== 'resume') await close(tx, host, made.id)
      return made
    })
    return reply(await detailed(ctx, row), { status: 202 })
  },
})

/** Moves what `os-balance` lists, as it is now; only servers that can move as they run. */
async function beginBalance(ctx: Ctx, asked: { together?: number } & Partial<BalanceWish>): Promise<MaintenanceRow> {
  const { moves } = await balanceOf(ctx, wishOf(asked))
  return ctx.transaction(tx =>
    beginMaintenance(tx, { kind: 'balance', host: null, live: 'yes', together: asked.together }, async () => moves),
  )
}

const wishOf = ({ spread: asked = 20, most: count = 10 }: Partial<BalanceWish>): BalanceWish => ({
  spread: asked,
  most: count,
})

const balance = operation({
  id: 'compute.maintenances.balance',
  method: 'GET',
  path: '/v2.1/os-balance',
  summary: 'List the moves that would even out the load of hosts',
  policy: ruleOf('balance'),
  query: Type.Object({ spread: Type.Optional(spread), most: Type.Optional(most) }, { additionalProperties: false }),
  response: Type.Object({
    balance: Type.Object({
      hosts: Type.Array(Type.Object({ host: Type.String(), before: Type.Number(), after: Type.Number() })),
      moves: Type.Array(Type.Object({ server_id: Type.String(), from_host: Type.String(), to_host: Type.String() })),
    }),
  }),
  handle: async (ctx, { query }) => ({ balance: await balanceOf(ctx, wishOf(query)) }),
})

const whyDown: Record<'drain' | 'suspend' | 'resume', (host: string) => string> = {
  drain: host => `Host ${host} is down: its servers can only be evacuated.`,
  suspend: host => `Host ${host} is down.`,
  resume: host => `Host ${host} is down: start it first.`,
}

/** No server is placed there any more. One that was closed already says why, and goes on to. */
async function close(ctx: Ctx, host: HostRow, id: string): Promise<void> {
  if (!host.disabled) await changeHost(ctx, host, { disabled: true, disabled_reason: nameOf(id) })
}

/** Whom it is about. Those that come to the host later are found then. */
async function serversFor(ctx: Ctx, kind: MaintenanceKind, { name }: HostRow): Promise<NewMaintained[]> {
  const ids = kind === 'resume' ? await suspendedOn(ctx, name) : (await serversOn(ctx, name)).map(one => one.id)
  return ids.map(server_id => ({ server_id, from_host: name }))
}

/** Servers that maintenances of the host have suspended since one resumed them all; those that their users suspended are not among them. */
async function suspendedOn(ctx: Ctx, host: string): Promise<string[]> {
  const before = await maintenances.list(ctx.db, { host, kind: ['suspend', 'resume'] }, newestFirst)
  const isSuspension = ({ kind }: MaintenanceRow) => kind === 'suspend'
  if (!before.some(isSuspension)) throw new BadRequest(`No maintenance has suspended the servers of host ${host}.`)
  const resumed = before.findIndex(one => one.kind === 'resume' && one.state === 'done')
  const since = before.slice(0, resumed < 0 ? undefined : resumed).filter(isSuspension)
  const rows = await serversOfMany(ctx, since)
  return [...new Set(rows.filter(one => one.state === 'done' && one.act === 'suspend').map(one => one.server_id))]
}

type Wanted = Pick<MaintenanceRow, 'kind' | 'host' | 'live'> & { together: number | undefined }

/** In a transaction. One of a host goes on at a time. */
export async function beginMaintenance(
  ctx: Ctx,
  { kind, host, live, together }: Wanted,
  servers: () => Promise<NewMaintained[]>,
): Promise<MaintenanceRow> {
  await lock(ctx.db, ctx.database.engine, 'compute.maintenances')
  const other = await goingOn(ctx, host)
  if (other)
    throw new Conflict(`Maintenance ${other.id} goes on with ${host ?? 'all hosts'}: wait for it, or cancel it.`)
  const id = ctx.ids.uuid()
  const row: MaintenanceRow = {
    ...{ id, kind, host, live, state: 'running', problem: null, ended_at: null },
    together: together ?? ctx.config.of(computeConfig).maintenance.together,
    created_at: new Date(ctx.clock.now()).toISOString(),
  }
  await maintenances.insert(ctx.db, row)
  await addServers(ctx, id, await servers())
  await tellMaintenance(ctx, id, 'start')
  await ctx.sagas.start(ctx, maintenanceSaga, { id }, nameOf(id))
  return row
}

const remove = operation({
  id: 'compute.maintenances.delete',
  method: 'DELETE',
  path: '/v2.1/os-maintenances/{maintenance_id}',
  summary: 'Cancel a maintenance: nothing more is begun, what goes on comes to its end',
  policy: ruleOf('delete'),
  async handle(ctx, { params: { maintenance_id: id } }) {
    if (!(await cancelMaintenance(ctx, id))) {
      const { state } = await knownMaintenance(ctx, id)
      if (state !== 'cancelling') throw new Conflict(`Maintenance ${id} is ${state}: there is nothing to cancel.`)
    }
    return reply(undefined, { status: 202 })
  },
})

export const maintenanceOperations: Operation[] = [list, show, create, remove, balance]
