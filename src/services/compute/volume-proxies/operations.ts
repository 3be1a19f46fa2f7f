/** Volumes and their snapshots in compute's API, up to 2.35: they are the volume service's. Where there is none, nothing is found. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import type { VolumeContract, VolumeInfo, VolumeSnapshotInfo } from '../../volume/contract.ts'
import { body, flag, integerOf, isTrue, naiveTime, query, resourceLinks, wholeNumber } from '../dialect.ts'

const versions = { max: '2.35' } as const
const reads = (verb: string) => rule(`os_compute_api:os-volumes:${verb}`, projectReaderOrAdmin)
const changes = (verb: string) => rule(`os_compute_api:os-volumes:${verb}`, projectMemberOrAdmin)
const word = Type.Union([Type.String(), Type.Null()])
const closed = { additionalProperties: false }

/** For what needs the service itself. */
function service(ctx: Ctx): VolumeContract {
  if (!ctx.services.volume) throw new BadRequest('This cloud has no volume service.')
  return ctx.services.volume
}

const volume = Type.Object({
  id: Type.String(),
  status: Type.String(),
  size: Type.Integer(),
  availabilityZone: word,
  createdAt: Type.String(),
  attachments: Type.Array(
    Type.Object({
      id: Type.Optional(Type.String()),
      volumeId: Type.Optional(Type.String()),
      serverId: Type.Optional(Type.String()),
      device: Type.Optional(Type.String()),
    }),
  ),
  displayName: word,
  displayDescription: word,
  volumeType: word,
  snapshotId: word,
  metadata: Type.Record(Type.String(), Type.String()),
})

function volumeView(one: VolumeInfo): Static<typeof volume> {
  const [first] = one.attachments
  const device = first?.device ? { device: first.device } : {}
  return {
    id: one.id,
    status: one.status,
    size: one.size,
    availabilityZone: one.availability_zone,
    createdAt: naiveTime(one.created_at),
    attachments: [first ? { id: one.id, volumeId: one.id, serverId: first.server_id, ...device } : {}],
    displayName: one.name,
    displayDescription: one.description,
    volumeType: one.volume_type,
    snapshotId: one.snapshot_id,
    metadata: one.metadata,
  }
}

const snapshot = Type.Object({
  id: Type.String(),
  volumeId: Type.String(),
  status: Type.String(),
  size: Type.Integer(),
  createdAt: Type.String(),
  displayName: word,
  displayDescription: word,
})

const snapshotView = (one: VolumeSnapshotInfo): Static<typeof snapshot> => ({
  id: one.id,
  volumeId: one.volume_id,
  status: one.status,
  size: one.size,
  createdAt: naiveTime(one.created_at),
  displayName: one.name,
  displayDescription: one.description,
})

const page = query({
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  offset: Type.Optional(Type.Integer({ minimum: 0 })),
})

/** A limit of 0 is none. */
function paged<T>(all: T[], { limit, offset = 0 }: Static<typeof page>): T[] {
  return all.slice(offset, limit ? offset + limit : undefined)
}

const text = Type.Optional(Type.String())

const createVolume = operation({
  id: 'compute.volumes.create',
  method: 'POST',
  path: '/v2.1/os-volumes',
  summary: 'Create a volume',
  versions,
  policy: changes('create'),
  request: body(
    'volume',
    Type.Object(
      {
        size: wholeNumber(1),
        volume_type: text,
        metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
        snapshot_id: text,
        availability_zone: text,
        display_name: text,
        display_description: text,
      },
      closed,
    ),
  ),
  response: body('volume', volume),
  async handle(ctx, { body: { volume: asked } }) {
    const size = integerOf(asked.size, 'size', 1)
    const { snapshot_id: from } = asked
    const made = await ctx.transaction(async tx =>
      service(tx).create(tx, {
        name: asked.display_name ?? null,
        description: asked.display_description ?? null,
        size,
        source: from === undefined ? { type: 'blank' } : { type: 'snapshot', id: from },
        volume_type: asked.volume_type ?? null,
        availability_zone: asked.availability_zone ?? null,
        metadata: Object.fromEntries(Object.entries(asked.metadata ?? {}).map(([key, value]) => [key, String(value)])),
      }),
    )
    const location = resourceLinks(ctx, `os-volumes/${made.id}`)[0]!.href
    return reply({ volume: volumeView(made) }, { headers: { location } })
  },
})

const createSnapshot = operation({
  id: 'compute.snapshots.create',
  method: 'POST',
  path: '/v2.1/os-snapshots',
  summary: 'Create a snapshot of a volume',
  versions,
  policy: changes('snapshots:create'),
  request: body(
    'snapshot',
    Type.Object(
      { volume_id: Type.String(), force: Type.Optional(flag), display_name: text, display_description: text },
      closed,
    ),
  ),
  response: body('snapshot', snapshot),
  async handle(ctx, { body: { snapshot: asked } }) {
    const made = await ctx.transaction(async tx =>
      service(tx).createSnapshot(tx, {
        volume_id: asked.volume_id,
        name: asked.display_name ?? null,
        description: asked.display_description ?? null,
        force: isTrue(asked.force),
      }),
    )
    return { snapshot: snapshotView(made) }
  },
})

const lists = (['', '/detail'] as const).flatMap(tail => [
  operation({
    id: `compute.volumes.${tail ? 'detail' : 'list'}`,
    method: 'GET',
    path: `/v2.1/os-volumes${tail}`,
    summary: 'List volumes',
    versions,
    policy: reads(tail ? 'detail' : 'list'),
    query: page,
    response: body('volumes', Type.Array(volume)),
    async handle(ctx, { query: asked }) {
      const all = (await ctx.services.volume?.list(ctx)) ?? []
      return { volumes: paged(all, asked).map(volumeView) }
    },
  }),
  operation({
    id: `compute.snapshots.${tail ? 'detail' : 'list'}`,
    method: 'GET',
    path: `/v2.1/os-snapshots${tail}`,
    summary: 'List snapshots of volumes',
    versions,
    policy: reads(tail ? 'snapshots:detail' : 'snapshots:list'),
    query: page,
    response: body('snapshots', Type.Array(snapshot)),
    async handle(ctx, { query: asked }) {
      const all = (await ctx.services.volume?.listSnapshots(ctx)) ?? []
      return { snapshots: paged(all, asked).map(snapshotView) }
    },
  }),
])

const noVolume = (id: string) => new NotFound(`Volume ${id} could not be found.`)
const noSnapshot = (id: string) => new NotFound(`Snapshot ${id} could not be found.`)

const showVolume = operation({
  id: 'compute.volumes.show',
  method: 'GET',
  path: '/v2.1/os-volumes/{volume_id}',
  summary: 'Show a volume',
  versions,
  policy: reads('show'),
  response: body('volume', volume),
  async handle(ctx, { params: { volume_id } }) {
    if (!ctx.services.volume) throw noVolume(volume_id)
    return { volume: volumeView(await ctx.services.volume.get(ctx, volume_id)) }
  },
})

const deleteVolume = operation({
  id: 'compute.volumes.delete',
  method: 'DELETE',
  path: '/v2.1/os-volumes/{volume_id}',
  summary: 'Delete a volume',
  versions,
  policy: changes('delete'),
  async handle(ctx, { params: { volume_id } }) {
    if (!ctx.services.volume) throw noVolume(volume_id)
    await ctx.transaction(async tx => tx.services.volume!.remove(tx, volume_id))
    return reply(undefined, { status: 202 })
  },
})

const showSnapshot = operation({
  id: 'compute.snapshots.show',
  method: 'GET',
  path: '/v2.1/os-snapshots/{snapshot_id}',
  summary: 'Show a snapshot of a volume',
  versions,
  policy: reads('snapshots:show'),
  response: body('snapshot', snapshot),
  async handle(ctx, { params: { snapshot_id } }) {
    if (!ctx.services.volume) throw noSnapshot(snapshot_id)
    return { snapshot: snapshotView(await ctx.services.volume.getSnapshot(ctx, snapshot_id)) }
  },
})

const deleteSnapshot = operation({
  id: 'compute.snapshots.delete',
  method: 'DELETE',
  path: '/v2.1/os-snapshots/{snapshot_id}',
  summary: 'Delete a snapshot of a volume',
  versions,
  policy: changes('snapshots:delete'),
  async handle(ctx, { params: { snapshot_id } }) {
    if (!ctx.services.volume) throw noSnapshot(snapshot_id)
    await ctx.transaction(async tx => tx.services.volume!.removeSnapshot(tx, snapshot_id))
    return reply(undefined, { status: 202 })
  },
})

export const volumeProxyOperations: Operation[] = [
  ...lists,
  createVolume,
  showVolume,
  deleteVolume,
  createSnapshot,
  showSnapshot,
  deleteSnapshot,
]
