/** Resize to another flavor, and cold migration to another host. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { reply } from '#kernel/operation.ts'
import { admin, projectManagerOrAdmin, projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { anySaga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { byVersion } from '#kernel/schema/marks.ts'
import { hostName } from '../../dialect.ts'
import { isUp } from '../../hosts/host.ts'
import { hosts } from '../../hosts/store.ts'
import { actionOperation, requireAllowed, requireHost, type ServerAction } from '../action.ts'
import { flavorOfServer } from '../build-request.ts'
import { diskConfig } from '../create-schema.ts'
import { requireAsBuilt } from '../encryption.ts'
import { diskConfigOf } from '../guest-works/disk-config.ts'
import { checkFlavor } from '../image-of-server.ts'
import { machineWishes } from '../machine.ts'
import type { ServerFlavor, ServerRow } from '../server.ts'
import { beginMove } from './begin.ts'
import { migrateSaga, resizeSaga } from './cold-saga.ts'

const migrateTo = rule('os_compute_api:os-migrate-server:migrate:host', admin)
export const moveRules = [migrateTo]

/** A server leaves only a host that answers. */
export async function requireSourceUp(ctx: Ctx, server: ServerRow): Promise<void> {
  const host = await hosts.find(ctx.db, { name: requireHost(server) })
  if (!host || !isUp(ctx, host)) throw new Conflict('Service is unavailable at this time.')
}

export async function requireKnownHost(ctx: Ctx, name: string): Promise<void> {
  if (!(await hosts.find(ctx.db, { name }))) throw new BadRequest(`Compute host ${name} could not be found.`)
}

function checkNewFlavor(server: ServerRow, flavor: ServerFlavor): void {
  if (flavor.disk === 0 && server.flavor.disk !== 0) {
    throw new BadRequest('Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.')
  }
  if (flavor.id === server.flavor.id) throw new BadRequest('When resizing, instances must change flavor!')
  checkFlavor(server.image, flavor)
}

export const resize: ServerAction = {
  saga: anySaga(resizeSaga),
  operation: actionOperation({
    id: 'compute.servers.resize',
    key: 'resize',
    summary: 'Give a server another flavor',
    policy: rule('os_compute_api:servers:resize', projectMemberOrAdmin),
    body: Type.Object(
      {
        flavorRef: Type.Unsafe<string | number>({ type: ['string', 'integer'], minLength: 1 }),
        'OS-DCF:diskConfig': Type.Optional(diskConfig),
      },
      { additionalProperties: false },
    ),
    async handle(ctx, server, asked) {
      requireAllowed(ctx, server, 'resize')
      await requireSourceUp(ctx, server)
      const flavor = await flavorOfServer(ctx, String(asked.flavorRef))
      checkNewFlavor(server, flavor)
      await requireAsBuilt(ctx, server, flavor, server.image)
      machineWishes(ctx, flavor, server.image)
      const config = asked['OS-DCF:diskConfig']
      const disk_config = config === undefined ? server.disk_config : diskConfigOf(server.image, config)
      const body = { to: null, resize: true }
      const saga = resizeSaga
      await beginMove(ctx, server, {
        name: 'resize',
        event: 'resize.prep',
        type: 'resize',
        flavor,
        saga,
        body,
        patch: { disk_config },
        told: { new_flavor: flavor },
      })
      return reply(undefined, { status: 202 })
    },
  }),
}

/** To another host, stopped meanwhile. Returns the move's id. */
export async function beginColdMove(ctx: Ctx, server: ServerRow, to: string | null): Promise<string> {
  requireAllowed(ctx, server, 'migrate')
  await requireSourceUp(ctx, server)
  if (to !== null) {
    await requireKnownHost(ctx, to)
    if (to === server.host) throw new BadRequest('Cannot migrate to the host where the server exists.')
  }
  return beginMove(ctx, server, {
    name: 'migrate',
    event: 'resize.prep',
    type: 'migration',
    to,
    saga: migrateSaga,
    body: { to, resize: false },
    told: { new_flavor: server.flavor },
  })
}

const target = Type.Union([
  Type.Object({ host: Type.Optional(Type.Union([hostName, Type.Null()])) }, { additionalProperties: false }),
  Type.Null(),
])

export const migrate: ServerAction = {
  saga: anySaga(migrateSaga),
  operation: actionOperation({
    id: 'compute.servers.migrate',
    key: 'migrate',
    summary: 'Move a server to another host, stopped meanwhile',
    policy: rule('os_compute_api:os-migrate-server:migrate', projectManagerOrAdmin),
    body: byVersion({ '2.1': Type.Unknown(), '2.56': target }, target),
    async handle(ctx, server, asked) {
      const to = ctx.atLeast('2.56') ? (asked?.host ?? null) : null
      if (to !== null) ctx.enforce(migrateTo, { project_id: server.project_id })
      await beginColdMove(ctx, server, to)
      return reply(undefined, { status: 202 })
    },
  }),
}
