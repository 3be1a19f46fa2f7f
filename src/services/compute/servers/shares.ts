/** Shares of a server, from 2.97 on: directories of a file service that the guest mounts. Without such a service there are none to attach. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { body } from '../dialect.ts'
import { loadServer } from './access.ts'
import { stateConflict } from './action.ts'
import type { ServerRow, VmState } from './server.ts'

const versions = { min: '2.97' } as const
const path = '/v2.1/servers/{server_id}/shares'
const policy = (verb: string, check: string) => rule(`os_compute_api:os-server-shares:${verb}`, check)
const noQuery = Type.Object({}, { additionalProperties: false })

const share = Type.Object({
  share_id: Type.String(),
  status: Type.String(),
  tag: Type.String(),
  uuid: Type.Optional(Type.String()),
  export_location: Type.Optional(Type.String()),
})

const wish = Type.Object(
  {
    share_id: Type.String({ format: 'uuid' }),
    tag: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-]*$' })),
  },
  { additionalProperties: false },
)

function requireOff(server: ServerRow, action: string, from: readonly VmState[]): void {
  if (!from.includes(server.vm_state)) throw stateConflict(server.id, action, 'vm_state', server.vm_state)
}

async function noShare(_ctx: Ctx, id: string): Promise<never> {
  throw new NotFound(`Share ${id} could not be found.`)
}

export const shareOperations: Operation[] = [
  operation({
    id: 'compute.server_shares.list',
    method: 'GET',
    path,
    summary: 'List the shares of a server',
    versions,
    policy: policy('index', projectReaderOrAdmin),
    query: noQuery,
    load: loadServer,
    response: body('shares', Type.Array(share)),
    handle: async () => ({ shares: [] }),
  }),
  operation({
    id: 'compute.server_shares.show',
    method: 'GET',
    path: `${path}/{share_id}`,
    summary: 'Show a share of a server',
    status: 404,
    versions,
    policy: policy('show', projectReaderOrAdmin),
    query: noQuery,
    load: loadServer,
    handle: (ctx, { params }) => noShare(ctx, params.share_id),
  }),
  operation({
    id: 'compute.server_shares.create',
    method: 'POST',
    path,
    summary: 'Attach a share to a server that is off',
    versions,
    status: 201,
    policy: policy('create', projectMemberOrAdmin),
    load: loadServer,
    request: body('share', wish),
    async handle(ctx, { target, body: { share: asked } }) {
      requireOff(target, 'create share', ['stopped'])
      return noShare(ctx, asked.share_id)
    },
  }),
  operation({
    id: 'compute.server_shares.delete',
    method: 'DELETE',
    path: `${path}/{share_id}`,
    summary: 'Detach a share from a server that is off',
    versions,
    policy: policy('delete', projectMemberOrAdmin),
    load: loadServer,
    async handle(ctx, { target, params }) {
      requireOff(target, 'delete share', ['stopped', 'error'])
      return noShare(ctx, params.share_id)
    },
  }),
]
