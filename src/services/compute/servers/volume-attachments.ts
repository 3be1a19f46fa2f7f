/** Volumes of a server. There is no volume service yet: no server has one, and none can be found to be attached. */
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { between, since } from '#kernel/schema/marks.ts'
import { pageQuery, query } from '../dialect.ts'
import { loadServer, requireUnlocked } from './access.ts'
import { tag } from './create-schema.ts'

const path = '/v2.1/servers/{server_id}/os-volume_attachments'
const uuid = Type.String({ format: 'uuid' })

const attachment = Type.Object({
  id: between('2.1', '2.88', Type.String()),
  serverId: Type.String(),
  volumeId: Type.String(),
  device: Type.Union([Type.String(), Type.Null()]),
  tag: since('2.70', Type.Union([Type.String(), Type.Null()])),
  delete_on_termination: since('2.79', Type.Boolean()),
  attachment_id: since('2.89', Type.String()),
  bdm_uuid: since('2.89', Type.String()),
})

const notAttached = (server: string, volume: string) =>
  new NotFound(`Instance ${server} is not attached to volume ${volume}`)

const asked = Type.Object(
  {
    volumeAttachment: Type.Object(
      {
        volumeId: uuid,
        device: Type.Optional(Type.Union([Type.String({ maxLength: 255 }), Type.Null()])),
        tag: since('2.49', tag),
        delete_on_termination: since('2.79', Type.Boolean()),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)

export const volumeAttachmentOperations: Operation[] = [
  operation({
    id: 'compute.volume_attachments.list',
    method: 'GET',
    path,
    summary: 'List the volumes of a server',
    policy: rule('os_compute_api:os-volumes-attachments:index', projectReaderOrAdmin),
    load: loadServer,
    query: query({ ...pageQuery, offset: Type.Optional(Type.Integer({ minimum: 0 })) }),
    response: Type.Object({ volumeAttachments: Type.Array(attachment) }),
    handle: async () => ({ volumeAttachments: [] }),
  }),
  operation({
    id: 'compute.volume_attachments.show',
    method: 'GET',
    path: `${path}/{volume_id}`,
    summary: 'Show a volume of a server',
    policy: rule('os_compute_api:os-volumes-attachments:show', projectReaderOrAdmin),
    load: loadServer,
    response: Type.Object({ volumeAttachment: attachment }),
    async handle(_ctx, { target, params: { volume_id } }) {
      throw notAttached(target.id, volume_id)
    },
  }),
  operation({
    id: 'compute.volume_attachments.create',
    method: 'POST',
    path,
    summary: 'Attach a volume to a server',
    policy: rule('os_compute_api:os-volumes-attachments:create', projectMemberOrAdmin),
    load: loadServer,
    request: asked,
    response: Type.Object({ volumeAttachment: attachment }),
    async handle(ctx, { target, body }) {
      requireUnlocked(ctx, target)
      throw new NotFound(`Volume ${body.volumeAttachment.volumeId} could not be found.`)
    },
  }),
  operation({
    id: 'compute.volume_attachments.update',
    method: 'PUT',
    path: `${path}/{volume_id}`,
    summary: 'Change how a volume is attached to a server, or put another one in its place',
    policy: rule('os_compute_api:os-volumes-attachments:update', projectMemberOrAdmin),
    load: loadServer,
    request: Type.Object({ volumeAttachment: Type.Object({ volumeId: uuid }) }, { additionalProperties: false }),
    async handle(ctx, { target, params: { volume_id } }) {
      requireUnlocked(ctx, target)
      throw notAttached(target.id, volume_id)
    },
  }),
  operation({
    id: 'compute.volume_attachments.delete',
    method: 'DELETE',
    path: `${path}/{volume_id}`,
    summary: 'Detach a volume from a server',
    policy: rule('os_compute_api:os-volumes-attachments:delete', projectMemberOrAdmin),
    load: loadServer,
    async handle(ctx, { target, params: { volume_id } }) {
      requireUnlocked(ctx, target)
      throw notAttached(target.id, volume_id)
    },
  }),
]
