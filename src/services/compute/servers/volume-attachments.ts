/** Volumes of a server: list, show, attach, change, detach. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { adminOrService, projectMemberOrAdmin, projectReaderOrAdmin, type Rule, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { between, byVersion, since } from '#kernel/schema/marks.ts'
import { flag, isTrue, pageQuery, query } from '../dialect.ts'
import { loadServer } from './access.ts'
import { requireAllowed, stateConflict } from './action.ts'
import { isRoot, isVolume, type VolumeDevice } from './block-device.ts'
import { tag } from './create-schema.ts'
import type { ServerRow } from './server.ts'
import { devicesOf, updateDevice } from './store-block-devices.ts'
import { beginAttach, beginDetach, beginSwap } from './volume-changes.ts'
import { volumesOf } from './volumes.ts'

const path = '/v2.1/servers/{server_id}/os-volume_attachments'
const uuid = Type.String({ format: 'uuid' })
const nullableText = Type.Union([Type.String(), Type.Null()])

const attachment = Type.Object({
  id: between('2.1', '2.88', Type.String()),
  serverId: Type.String(),
  volumeId: Type.String(),
  device: Type.Optional(Type.String()),
  tag: since('2.70', nullableText),
  delete_on_termination: since('2.79', Type.Boolean()),
  attachment_id: since('2.89', Type.String()),
  bdm_uuid: since('2.89', Type.String()),
})

/** A slip of upstream's: the answer to an attachment never learnt what came with 2.89. */
const attached = Type.Object({
  id: Type.String(),
  serverId: Type.String(),
  volumeId: Type.String(),
  device: nullableText,
  tag: since('2.70', nullableText),
  delete_on_termination: since('2.79', Type.Boolean()),
})

const view = (device: VolumeDevice): Static<typeof attachment> => ({
  id: device.volume_id,
  serverId: device.server_id,
  volumeId: device.volume_id,
  ...(device.device_name !== null && { device: device.device_name }),
  tag: device.tag,
  delete_on_termination: device.delete_on_termination,
  attachment_id: device.attachment_id,
  bdm_uuid: device.id,
})

async function attachmentOf(ctx: Ctx, server: ServerRow, volume: string): Promise<VolumeDevice> {
  const found = (await volumesOf(ctx, server.id)).find(one => one.volume_id === volume)
  if (!found) throw new NotFound(`Instance ${server.id} is not attached to volume ${volume}`)
  return found
}

/** Servers on the shelf have their volumes changed from 2.20 on. */
function requireOffShelf(ctx: Ctx, { id, vm_state }: ServerRow, action: string): void {
  if (vm_state.startsWith('shelved') && !ctx.atLeast('2.20')) throw stateConflict(id, action, 'vm_state', vm_state)
}

const device = Type.Optional(
  Type.Unsafe<string | null>({
    type: ['string', 'null'],
    maxLength: 255,
    pattern: '(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$',
  }),
)
const closed = { additionalProperties: false }
const asked = Type.Object(
  {
    volumeAttachment: Type.Object(
      { volumeId: uuid, device, tag: since('2.49', tag), delete_on_termination: since('2.79', flag) },
      closed,
    ),
  },
  closed,
)

const change = {
  volumeId: uuid,
  device,
  tag: Type.Optional(tag),
  delete_on_termination: Type.Optional(flag),
  serverId: Type.Optional(uuid),
  id: Type.Optional(uuid),
}
/** From 2.85 on all may be sent that the answer shows. */
const whole = Type.Object(change, closed)
const changed = Type.Object(
  { volumeAttachment: byVersion({ '2.1': Type.Object({ volumeId: uuid }, closed), '2.85': whole }, whole) },
  closed,
)

const swap: Rule = rule('os_compute_api:os-volumes-attachments:swap', adminOrService)
export const volumeAttachmentRules = [swap]

/** What may be changed of an attachment in place; all else must be as it is. */
async function update(ctx: Ctx, had: VolumeDevice, wish: Static<typeof whole>): Promise<void> {
  const fixed = (name: string, sent: unknown, is: unknown) => {
    if (sent !== undefined && sent !== is) throw new BadRequest(`The ${name} property is not mutable`)
  }
  fixed('id', wish.id, had.volume_id)
  fixed('serverId', wish.serverId, had.server_id)
  fixed('device', wish.device, had.device_name)
  fixed('tag', wish.tag, had.tag)
  if (wish.delete_on_termination !== undefined)
    await updateDevice(ctx, had, { delete_on_termination: isTrue(wish.delete_on_termination) })
}

export const volumeAttachmentOperations: Operation[] = [
  operation({
    id: 'compute.volume_attachments.list',
    method: 'GET',
    path,
    summary: 'List the volumes of a server',
    policy: rule('os_compute_api:os-volumes-attachments:index', projectReaderOrAdmin),
    load: loadServer,
    query: query({ limit: pageQuery.limit, offset: Type.Optional(Type.Integer({ minimum: 0 })) }),
    response: Type.Object({ volumeAttachments: Type.Array(attachment) }),
    async handle(ctx, { target, query: { limit, offset = 0 } }) {
      // As upstream: other disks are counted, and not shown.
      const page = (await devicesOf(ctx, target.id)).slice(offset, limit ? offset + limit : undefined)
      return { volumeAttachments: page.filter(isVolume).map(view) }
    },
  }),
  operation({
    id: 'compute.volume_attachments.show',
    method: 'GET',
    path: `${path}/{volume_id}`,
    summary: 'Show a volume of a server',
    policy: rule('os_compute_api:os-volumes-attachments:show', projectReaderOrAdmin),
    load: loadServer,
    response: Type.Object({ volumeAttachment: attachment }),
    handle: async (ctx, { target, params }) => ({
      volumeAttachment: view(await attachmentOf(ctx, target, params.volume_id)),
    }),
  }),
  operation({
    id: 'compute.volume_attachments.create',
    method: 'POST',
    path,
    summary: 'Attach a volume to a server',
    policy: rule('os_compute_api:os-volumes-attachments:create', projectMemberOrAdmin),
    load: loadServer,
    request: asked,
    response: Type.Object({ volumeAttachment: attached }),
    async handle(ctx, { target, body: { volumeAttachment: wish } }) {
      requireOffShelf(ctx, target, 'attach_volume')
      requireAllowed(ctx, target, 'attach_volume')
      const made = await beginAttach(ctx, target, {
        volume_id: wish.volumeId,
        device: wish.device || null,
        tag: (ctx.atLeast('2.49') ? wish.tag : undefined) ?? null,
        delete_on_termination: ctx.atLeast('2.79') && isTrue(wish.delete_on_termination),
      })
      if (ctx.atLeast('2.101')) return reply(undefined, { status: 202 })
      const { volume_id: id, device_name, delete_on_termination } = made
      const shown = { id, serverId: target.id, volumeId: id, device: device_name, tag: made.tag, delete_on_termination }
      return reply({ volumeAttachment: shown })
    },
  }),
  operation({
    id: 'compute.volume_attachments.update',
    method: 'PUT',
    path: `${path}/{volume_id}`,
    summary: 'Change how a volume is attached to a server, or put another one in its place',
    policy: rule('os_compute_api:os-volumes-attachments:update', projectMemberOrAdmin),
    load: loadServer,
    request: changed,
    async handle(ctx, { target, params: { volume_id }, body: { volumeAttachment: wish } }) {
      const swaps = !ctx.atLeast('2.85') || wish.volumeId !== volume_id
      if (swaps) ctx.enforce(swap)
      if (ctx.atLeast('2.85')) await update(ctx, await attachmentOf(ctx, target, volume_id), wish)
      if (swaps) await beginSwap(ctx, target, volume_id, wish.volumeId)
      return reply(undefined, { status: 202 })
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
      requireOffShelf(ctx, target, 'detach_volume')
      const { volume } = ctx.services
      if (!volume) throw new NotFound(`Volume ${volume_id} could not be found.`)
      await volume.get(ctx, volume_id)
      const had = await attachmentOf(ctx, target, volume_id)
      if (isRoot(had)) throw new BadRequest('Cannot detach a root device volume')
      requireAllowed(ctx, target, 'detach_volume')
      if (target.vm_state === 'building') throw new Conflict(`Instance ${target.id} is not ready`)
      await beginDetach(ctx, target, had)
      return reply(undefined, { status: 202 })
    },
  }),
]
