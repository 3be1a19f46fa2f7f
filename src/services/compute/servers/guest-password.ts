/** The password that a guest made for its owner, encrypted with the owner's key. The guest reports it to the metadata service. */
import { type Operation, operation } from '#kernel/operation.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { loadServer } from './access.ts'
import { guestDataOf } from './store.ts'
import { forgetGuestPassword } from './store-guest-data.ts'

const path = '/v2.1/servers/{server_id}/os-server-password'

export const guestPasswordOperations: Operation[] = [
  operation({
    id: 'compute.server_password.show',
    method: 'GET',
    path,
    summary: 'Show the encrypted password that a server made',
    policy: rule('os_compute_api:os-server-password:show', projectReaderOrAdmin),
    load: loadServer,
    response: Type.Object({ password: Type.String() }),
    handle: async (ctx, { target }) => ({ password: (await guestDataOf(ctx, target.id))?.encrypted_password ?? '' }),
  }),
  operation({
    id: 'compute.server_password.clear',
    method: 'DELETE',
    path,
    summary: 'Forget the encrypted password that a server made',
    policy: rule('os_compute_api:os-server-password:clear', projectMemberOrAdmin),
    load: loadServer,
    status: 204,
    async handle(ctx, { target }) {
      await forgetGuestPassword(ctx, target.id)
      return undefined
    },
  }),
]
