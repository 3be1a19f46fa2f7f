/** Sets the password of a running server's administrator, through the agent in the guest. */
import { type Operation, reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { actionOperation, recordAction, requireAllowed, requireHost } from './action.ts'
import { askHost } from './ask-host.ts'
import type { ServerRow } from './server.ts'
import { callOptions } from './steps.ts'

/** As the image names the account; else what its system calls it. */
function accountOf({ image }: ServerRow): string {
  const { os_admin_user, os_type } = image?.properties ?? {}
  return os_admin_user ?? (os_type === 'windows' ? 'Administrator' : 'root')
}

/** No saga: the password must not be in a journal. */
export const changePassword: Operation = actionOperation({
  id: 'compute.servers.change_password',
  key: 'changePassword',
  summary: "Set the password of a server's administrator",
  policy: rule('os_compute_api:os-admin-password', projectMemberOrAdmin),
  body: Type.Object({ adminPass: Type.String() }, { additionalProperties: false }),
  async handle(ctx, server, { adminPass }) {
    requireAllowed(ctx, server, 'changePassword')
    // Before it is recorded as done to the server.
    requireHost(server)
    const input = { id: server.id, user: accountOf(server), password: adminPass }
    await recordAction(ctx, 'changePassword', server.id)
    await askHost(ctx, server, agent => agent.call('changePassword', input, callOptions(ctx, undefined, 60_000)))
    return reply(undefined, { status: 202 })
  },
})
