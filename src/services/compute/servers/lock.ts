/** Lock and unlock: a locked server takes no actions but an admin's. */
import type { Ctx } from '#kernel/context.ts'
import { type Operation, reply } from '#kernel/operation.ts'
import { admin, projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { byVersion } from '#kernel/schema/marks.ts'
import { tell } from '../events.ts'
import { actionOperation, recordAction } from './action.ts'
import type { ServerRow } from './server.ts'
import { updateServer } from './store.ts'

/** To undo an admin's lock. */
export const unlockOverride = rule('os_compute_api:os-lock-server:unlock:unlock_override', admin)

const reason = Type.Union([
  Type.Null(),
  Type.Object({ locked_reason: Type.String({ minLength: 1, maxLength: 255 }) }, { additionalProperties: false }),
])

const lockerOf = (ctx: Ctx, server: ServerRow) => (server.project_id === ctx.identity.project_id ? 'owner' : 'admin')

export const lockOperations: Operation[] = [
  actionOperation({
    id: 'compute.servers.lock',
    key: 'lock',
    summary: 'Lock a server',
    policy: rule('os_compute_api:os-lock-server:lock', projectMemberOrAdmin),
    body: byVersion({ '2.1': Type.Unknown(), '2.73': reason }, reason),
    async handle(ctx, server, body) {
      const locked_reason = ctx.atLeast('2.73') ? (body?.locked_reason ?? null) : null
      // An owner does not make an admin's lock one of his own.
      if (server.locked_by !== null && lockerOf(ctx, server) === 'owner') return reply(undefined, { status: 202 })
      await ctx.transaction(async tx => {
        await recordAction(tx, 'lock', server.id)
        await updateServer(tx, server.id, { locked_by: lockerOf(tx, server), locked_reason })
        await tell(tx, server.id, 'lock')
      })
      return reply(undefined, { status: 202 })
    },
  }),
  actionOperation({
    id: 'compute.servers.unlock',
    key: 'unlock',
    summary: 'Unlock a server',
    policy: rule('os_compute_api:os-lock-server:unlock', projectMemberOrAdmin),
    body: Type.Unknown(),
    async handle(ctx, server) {
      if (server.locked_by !== null && server.locked_by !== lockerOf(ctx, server)) {
        ctx.enforce(unlockOverride, { project_id: server.project_id, user_id: server.user_id })
      }
      await ctx.transaction(async tx => {
        await recordAction(tx, 'unlock', server.id)
        await updateServer(tx, server.id, { locked_by: null, locked_reason: null })
        await tell(tx, server.id, 'unlock')
      })
      return reply(undefined, { status: 202 })
    },
  }),
]
