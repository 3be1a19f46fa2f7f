/** Create an image of a server's root disk, which may run meanwhile. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { anySaga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import type { ImageInfo } from '../../image/contract.ts'
import { metadata, name } from '../dialect.ts'
import type { BackupOrder } from '../drivers/driver.ts'
import { hostAgent } from '../host-agent.ts'
import { actionOperation, actionSaga, beginAction, requireAllowed, requireHost, type ServerAction } from './action.ts'
import { refuseEncrypted } from './encryption.ts'
import { checkContents } from './quota.ts'
import type { ServerRow } from './server.ts'
import { callOptions } from './steps.ts'
import { asksForSysprep, requireSysprep, runSysprep } from './sysprep.ts'

/** How long a host may take to store a disk. */
export const uploadTimeoutMs = 60 * 60_000

interface Snapshot {
  image_id: string
  format: 'raw' | 'qcow2'
  sysprep?: true
}

const snapshotSaga = actionSaga<Snapshot>({
  name: 'createImage',
  event: 'snapshot',
  longCallsMs: uploadTimeoutMs,
  told: ({ image_id }) => ({ snapshot_image_id: image_id }),
  async run(s, { server_id: id, host, body: { image_id, format, sysprep } }) {
    const removeImage = () => s.ctx.services.image.remove(s.ctx, image_id)
    if (sysprep) await s.step('sysprep', signal => runSysprep(s.ctx, host, id, signal), removeImage)
    await s.step('snapshot guest', signal => storeDisk(s.ctx, host, { id, image_id, format }, signal), removeImage)
    return {}
  },
})

/** Stores a guest's root disk as a queued image; one that has its bytes already is done. */
export async function storeDisk(
  ctx: Ctx,
  host: string,
  input: Omit<Snapshot, 'sysprep'> & { id: string; backup?: Pick<BackupOrder, 'since'> },
  signal: AbortSignal,
) {
  if ((await ctx.services.image.get(ctx, input.image_id)).status === 'active') return
  await hostAgent(ctx, host).call('snapshot', input, callOptions(ctx, signal, uploadTimeoutMs))
}

/** A queued image for the root disk of a server. */
export async function snapshotImage(
  ctx: Ctx,
  server: ServerRow,
  asked: {
    id?: string
    name: string
    image_type: 'snapshot' | 'backup'
    disk_format?: Snapshot['format']
    properties?: Record<string, string>
  },
): Promise<ImageInfo> {
  await refuseEncrypted(ctx, server)
  return ctx.services.image.create(ctx, {
    ...(asked.id !== undefined && { id: asked.id }),
    name: asked.name,
    disk_format: asked.disk_format ?? server.image?.disk_format ?? 'qcow2',
    container_format: 'bare',
    visibility: 'private',
    min_disk: server.flavor.disk,
    min_ram: server.image?.min_ram ?? 0,
    properties: propertiesOf(server, asked.properties ?? {}, asked.image_type),
  })
}

/** Of a snapshot: what it was made of, and what the image of the server said of itself. */
function propertiesOf(server: ServerRow, given: Record<string, string>, image_type: string): Record<string, string> {
  const { image } = server
  return {
    ...image?.properties,
    image_type,
    instance_uuid: server.id,
    user_id: server.user_id,
    owner_id: server.project_id,
    ...(server.image_ref !== null && { base_image_ref: server.image_ref }),
    ...given,
  }
}

async function createImageOf(ctx: Ctx, server: ServerRow, asked: { name: string; metadata?: Record<string, string> }) {
  const format = server.image?.disk_format ?? 'qcow2'
  return ctx.transaction(async tx => {
    const { name: called, metadata: properties = {} } = asked
    const image = await snapshotImage(tx, server, { name: called, image_type: 'snapshot', properties })
    const body = { image_id: image.id, format, ...(asksForSysprep(server.image) && { sysprep: true as const }) }
    const told = { snapshot_image_id: image.id }
    await beginAction(tx, server, { name: 'createImage', event: 'snapshot', saga: snapshotSaga, body, told })
    return image.id
  })
}

export const createImage: ServerAction = {
  saga: anySaga(snapshotSaga),
  operation: actionOperation({
    id: 'compute.servers.create_image',
    key: 'createImage',
    summary: 'Create an image of a server',
    policy: rule('os_compute_api:servers:create_image', projectMemberOrAdmin),
    body: Type.Object(
      { name, metadata: Type.Optional(metadata(Type.String({ maxLength: 255 }))) },
      { additionalProperties: false },
    ),
    response: Type.Object({ image_id: since('2.45', Type.String()) }),
    async handle(ctx, server, asked) {
      if (server.image === null) throw new BadRequest(`Instance ${server.id} has no image that its disk was made of.`)
      requireAllowed(ctx, server, 'createImage')
      requireHost(server)
      if (asksForSysprep(server.image)) requireSysprep(server)
      await checkContents(ctx, server.project_id, asked.metadata ?? {}, [])
      const image_id = await createImageOf(ctx, server, asked)
      if (ctx.atLeast('2.45')) return reply({ image_id }, { status: 202 })
      return reply(undefined, { status: 202, headers: { location: `${ctx.base}/image/v2/images/${image_id}` } })
    },
  }),
}
