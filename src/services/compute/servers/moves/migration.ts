/** One migrate for servers that run and servers that do not: live, cold, or whichever is possible. Not upstream's. */
import type { Ctx } from '#kernel/context.ts'
import { type Operation, reply } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { hostName } from '../../dialect.ts'
import { isUp } from '../../hosts/host.ts'
import { hosts } from '../../hosts/store.ts'
import { actionOperation } from '../action.ts'
import type { ServerRow } from '../server.ts'
import { allowed } from '../states.ts'
import { unfitHosts } from './claim.ts'
import { beginLiveMove } from './live.ts'
import { beginColdMove } from './resize.ts'

/** Whether a server that runs goes on running meanwhile; `auto`: where that is possible. */
export const liveWish = Type.Union([Type.Literal('yes'), Type.Literal('no'), Type.Literal('auto')])
export type LiveWish = Static<typeof liveWish>

/** Why a server cannot move while it runs; undefined when there is a host that may take it. */
export async function whyNotLive(ctx: Ctx, server: ServerRow, to: string | null): Promise<string | undefined> {
  if (!allowed['os-migrateLive'].from.includes(server.vm_state)) return `it is ${server.vm_state}`
  const unfit = await unfitHosts(ctx, server, { needs: 'live_migrate' })
  const there = await hosts.list(ctx.db, to === null ? {} : { name: to })
  const open = there.filter(host => host.name !== server.host && !host.disabled && isUp(ctx, host))
  if (open.some(host => unfit[host.name] === undefined)) return undefined
  const reasons = new Set(open.map(host => unfit[host.name]))
  return reasons.size > 0 ? [...reasons].join('; ') : 'no other host is up and enabled'
}

/** What a migration became: how the server moves, and why so when it was left open. */
export interface Begun {
  uuid: string
  live: boolean
  reason?: string
}

/** Throws what keeps the server from moving so. */
export async function beginMigration(
  ctx: Ctx,
  server: ServerRow,
  { live, to }: { live: LiveWish; to: string | null },
): Promise<Begun> {
  const reason = live === 'auto' ? await whyNotLive(ctx, server, to) : undefined
  if (live === 'no' || reason !== undefined)
    return { uuid: await beginColdMove(ctx, server, to), live: false, ...(reason !== undefined && { reason }) }
  return { uuid: await beginLiveMove(ctx, server, { to, forced: false }), live: true }
}

export const migrateEither: Operation = actionOperation({
  id: 'compute.servers.migrate_either',
  key: 'nephos-migrate',
  summary: 'Move a server to another host, live or cold',
  policy: rule('nephos:servers:migrate', admin),
  body: Type.Object(
    { live: Type.Optional(liveWish), host: Type.Optional(Type.Union([hostName, Type.Null()])) },
    { additionalProperties: false },
  ),
  response: Type.Object({
    migration: Type.Object({ uuid: Type.String(), live: Type.Boolean(), reason: Type.Optional(Type.String()) }),
  }),
  async handle(ctx, server, { live = 'auto', host }) {
    const migration = await beginMigration(ctx, server, { live, to: host || null })
    return reply({ migration }, { status: 202 })
  },
})
