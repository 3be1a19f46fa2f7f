/** Live migration: asked for, watched, hurried, given up. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { admin, projectManagerOrAdmin, rule } from '#kernel/policy/rule.ts'
import { anySaga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { between, byVersion, since, until } from '#kernel/schema/marks.ts'
import { flag, hostName, isTrue, naiveTime, numberedRow, query } from '../../dialect.ts'
import type { MigrationProgress } from '../../drivers/driver.ts'
import { tell, tellAll } from '../../events.ts'
import { hostAgent } from '../../host-agent.ts'
import { loadServer, requireUnlocked } from '../access.ts'
import { actionOperation, recordAction, requireAllowed, type ServerAction, stateConflict } from '../action.ts'
import { askHost } from '../ask-host.ts'
import { hasFixedDevice } from '../machine.ts'
import type { ServerRow } from '../server.ts'
import { beginMove } from './begin.ts'
import { type LiveBody, liveSaga } from './live-saga.ts'
import { liveStatuses, type MoveRow } from './move.ts'
import { requireKnownHost, requireSourceUp } from './resize.ts'
import { moves } from './store.ts'

const liveTo = rule('os_compute_api:os-migrate-server:migrate_live:host', admin)
const showHosts = rule('os_compute_api:servers:migrations:index:host', admin)
export const liveRules = [liveTo, showHosts]

const autoFlag = Type.Unsafe<boolean | string>({ anyOf: [flag, { const: 'auto' }] })

/** To another host while it runs. Returns the move's id. */
export async function beginLiveMove(ctx: Ctx, server: ServerRow, body: Omit<LiveBody, 'move'>): Promise<string> {
  const { to } = body
  requireAllowed(ctx, server, 'os-migrateLive')
  await requireSourceUp(ctx, server)
  if (to !== null) await requireKnownHost(ctx, to)
  if (to !== null && to === server.host) {
    throw new BadRequest(`Unable to migrate instance (${server.id}) to current host (${to}).`)
  }
  // From then on it is found out when a host is chosen.
  if (!ctx.atLeast('2.34') && hasFixedDevice(ctx, server)) {
    throw new BadRequest(
      'Migration pre-check error: non-VIF related PCI requests for instance are not allowed for live migration.',
    )
  }
  const event = 'live_migration.pre'
  return beginMove(ctx, server, { name: 'os-migrateLive', event, type: 'live-migration', to, saga: liveSaga, body })
}

export const migrateLive: ServerAction = {
  saga: anySaga(liveSaga),
  operation: actionOperation({
    id: 'compute.servers.migrate_live',
    key: 'os-migrateLive',
    summary: 'Move a server to another host while it runs',
    policy: rule('os_compute_api:os-migrate-server:migrate_live', projectManagerOrAdmin),
    body: Type.Object(
      {
        block_migration: byVersion({ '2.1': flag, '2.25': autoFlag }, autoFlag),
        disk_over_commit: until('2.24', flag),
        host: Type.Union([hostName, Type.Null()]),
        force: between('2.30', '2.67', flag),
      },
      { additionalProperties: false },
    ),
    async handle(ctx, server, { host, force }) {
      const to = host || null
      if (to !== null) ctx.enforce(liveTo, { project_id: server.project_id })
      if (isTrue(force) && to === null) throw new BadRequest("Can't force to a non-provided destination")
      // Without a word on it, a host that is named was not questioned before 2.30.
      const forced = to !== null && (!ctx.atLeast('2.30') || isTrue(force))
      await beginLiveMove(ctx, server, { to, forced })
      return reply(undefined, { status: 202 })
    },
  }),
}

const nullable = Type.Union([Type.String(), Type.Null()])
const bytes = Type.Union([Type.Integer(), Type.Null()])

const migration = Type.Object({
  created_at: Type.String(),
  dest_compute: nullable,
  dest_host: nullable,
  dest_node: nullable,
  disk_processed_bytes: bytes,
  disk_remaining_bytes: bytes,
  disk_total_bytes: bytes,
  id: Type.Integer(),
  memory_processed_bytes: bytes,
  memory_remaining_bytes: bytes,
  memory_total_bytes: bytes,
  server_uuid: Type.String(),
  source_compute: nullable,
  source_node: nullable,
  status: Type.String(),
  updated_at: Type.String(),
  uuid: since('2.59', Type.String()),
  user_id: since('2.80', nullable),
  project_id: since('2.80', nullable),
})

function view(row: MoveRow, progress: MigrationProgress | null, withHosts: boolean) {
  const shown = (value: string | null) => (withHosts ? value : null)
  return {
    created_at: naiveTime(row.created_at),
    dest_compute: shown(row.dest_host),
    dest_host: shown(row.dest_address),
    dest_node: shown(row.dest_node),
    disk_processed_bytes: progress?.disk_processed ?? null,
    disk_remaining_bytes: progress?.disk_remaining ?? null,
    disk_total_bytes: progress?.disk_total ?? null,
    id: row.id,
    memory_processed_bytes: progress?.memory_processed ?? null,
    memory_remaining_bytes: progress?.memory_remaining ?? null,
    memory_total_bytes: progress?.memory_total ?? null,
    server_uuid: row.server_id,
    source_compute: shown(row.source_host),
    source_node: shown(row.source_node),
    status: row.status,
    updated_at: naiveTime(row.updated_at),
    uuid: row.uuid,
    user_id: row.user_id,
    project_id: row.project_id,
  }
}

/** As its source tells it; a host that does not answer tells nothing. */
async function progressOf(ctx: Ctx, { source_host, server_id: id }: MoveRow): Promise<MigrationProgress | null> {
  const deadline = ctx.clock.now() + 5_000
  return hostAgent(ctx, source_host)
    .call('migrationProgress', { id }, { request: ctx, deadline })
    .catch(() => null)
}

const path = '/v2.1/servers/{server_id}/migrations'

async function moveOf(ctx: Ctx, server_id: string, id: string): Promise<MoveRow | undefined> {
  return moves.find(ctx.db, { server_id, id: numberedRow(id) })
}

async function knownMove(ctx: Ctx, server_id: string, id: string, wrong: (message: string) => Error): Promise<MoveRow> {
  const row = await moveOf(ctx, server_id, id)
  if (!row) throw wrong(`Migration ${id} not found for instance ${server_id}`)
  return row
}

function wrongStatus({ id, server_id, status }: MoveRow, method: string): BadRequest {
  return new BadRequest(
    `Migration ${id} state of instance ${server_id} is ${status}. Cannot ${method} while the migration is in this state.`,
  )
}

export const serverMigrationOperations: Operation[] = [
  operation({
    id: 'compute.server_migrations.list',
    method: 'GET',
    path,
    summary: 'List the live migrations of a server that go on',
    policy: rule('os_compute_api:servers:migrations:index', projectManagerOrAdmin),
    versions: { min: '2.23' },
    load: loadServer,
    query: query({}, '2.102'),
    response: Type.Object({ migrations: Type.Array(migration) }),
    async handle(ctx, { target }) {
      const found = await moves.list(
        ctx.db,
        { server_id: target.id, type: 'live-migration', status: liveStatuses },
        { orderBy: [{ column: 'id', direction: 'asc' }] },
      )
      const withHosts = ctx.can(showHosts, { project_id: target.project_id })
      const migrations = []
      for (const row of found) migrations.push(view(row, await progressOf(ctx, row), withHosts))
      return { migrations }
    },
  }),
  operation({
    id: 'compute.server_migrations.show',
    method: 'GET',
    path: `${path}/{migration_id}`,
    summary: 'Show a live migration that goes on',
    policy: rule('os_compute_api:servers:migrations:show', admin),
    versions: { min: '2.23' },
    load: loadServer,
    query: query({}, '2.102'),
    response: Type.Object({ migration }),
    async handle(ctx, { target, params: { migration_id: id } }) {
      const row = await moveOf(ctx, target.id, id)
      if (!row) throw new NotFound(`In-progress live migration ${id} is not found for server ${target.id}.`)
      if (row.type !== 'live-migration') {
        throw new NotFound(`Migration ${id} for server ${target.id} is not live-migration.`)
      }
      if (!liveStatuses.includes(row.status)) {
        throw new NotFound(`Live migration ${id} for server ${target.id} is not in progress.`)
      }
      return { migration: view(row, await progressOf(ctx, row), true) }
    },
  }),
  operation({
    id: 'compute.server_migrations.force_complete',
    method: 'POST',
    path: `${path}/{migration_id}/action`,
    action: 'force_complete',
    summary: 'End a live migration soon, whatever its guest feels of it',
    policy: rule('os_compute_api:servers:migrations:force_complete', projectManagerOrAdmin),
    versions: { min: '2.22' },
    load: loadServer,
    request: Type.Object({ force_complete: Type.Null() }, { additionalProperties: false }),
    async handle(ctx, { target, params: { migration_id: id } }) {
      requireUnlocked(ctx, target)
      requireMigrating(target.id, 'force_complete', target, ['active'])
      const row = await knownMove(ctx, target.id, id, message => new BadRequest(message))
      if (row.status !== 'running') throw wrongStatus(row, 'force complete')
      await ctx.transaction(async tx => {
        await recordAction(tx, 'live_migration_force_complete', target.id)
        await tell(tx, target, 'live.migration.force.complete.start')
      })
      await askHost(ctx, target, agent => agent.call('forceMigration', { id: target.id }, { request: ctx }))
      await tell(ctx, target.id, 'live.migration.force.complete.end')
      return reply(undefined, { status: 202 })
    },
  }),
  operation({
    id: 'compute.server_migrations.delete',
    method: 'DELETE',
    path: `${path}/{migration_id}`,
    summary: 'Give up a live migration',
    policy: rule('os_compute_api:servers:migrations:delete', projectManagerOrAdmin),
    versions: { min: '2.24' },
    load: loadServer,
    async handle(ctx, { target, params: { migration_id: id } }) {
      requireUnlocked(ctx, target)
      requireMigrating(target.id, 'abort live migration', target)
      const row = await knownMove(ctx, target.id, id, message => new NotFound(message))
      const allowed = ctx.atLeast('2.65') ? ['queued', 'preparing', 'running'] : ['running']
      if (!allowed.includes(row.status)) throw wrongStatus(row, 'abort live migration')
      await ctx.transaction(async tx => {
        await tx.sagas.cancel(tx, target.id)
        await recordAction(tx, 'live_migration_cancel', target.id)
        await tellAll(tx, target, ['live.migration.abort.start', 'live.migration.abort.end'])
      })
      return reply(undefined, { status: 202 })
    },
  }),
]

function requireMigrating(
  id: string,
  action: string,
  { vm_state, task_state }: { vm_state: string; task_state: string | null },
  from?: string[],
): void {
  if (from && !from.includes(vm_state)) throw stateConflict(id, action, 'vm_state', vm_state)
  if (task_state !== 'migrating') throw stateConflict(id, action, 'task_state', String(task_state))
}
