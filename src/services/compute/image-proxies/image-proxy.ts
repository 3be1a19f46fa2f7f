/** How an image read in compute's API. */
import type { Ctx } from '#kernel/context.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import type { ImageInfo } from '../../image/contract.ts'
import { booleanOf, linksSchema, resourceLinks } from '../dialect.ts'

const links = Type.Array(Type.Object({ rel: Type.String(), href: Type.String(), type: Type.Optional(Type.String()) }))

export const imageSummary = Type.Object({ id: Type.String(), name: Type.Union([Type.String(), Type.Null()]), links })

export const imageDetail = Type.Object({
  ...imageSummary.properties,
  minRam: Type.Integer(),
  minDisk: Type.Integer(),
  metadata: Type.Record(Type.String(), Type.String()),
  created: Type.String(),
  updated: Type.String(),
  status: Type.String(),
  progress: Type.Integer(),
  'OS-EXT-IMG-SIZE:size': Type.Union([Type.Integer(), Type.Null()]),
  server: Type.Optional(Type.Object({ id: Type.String(), links: linksSchema })),
  'OS-DCF:diskConfig': Type.Optional(Type.String()),
})

/** Statuses of images by those of the image service; any other is unknown here. */
const statuses: Record<string, [status: string, progress: number]> = {
  active: ['ACTIVE', 100],
  queued: ['SAVING', 25],
  saving: ['SAVING', 50],
  killed: ['ERROR', 0],
  deleted: ['DELETED', 0],
  pending_delete: ['DELETED', 0],
}

export function summaryView(ctx: Ctx, { id, name }: ImageInfo): Static<typeof imageSummary> {
  const path = `images/${id}`
  const alternate = { rel: 'alternate', type: 'application/vnd.openstack.image', href: `${ctx.base}/image/${path}` }
  return { id, name, links: [...resourceLinks(ctx, path), alternate] }
}

export function detailView(ctx: Ctx, image: ImageInfo): Static<typeof imageDetail> {
  const { instance_uuid: server, auto_disk_config: disk } = image.properties
  const [status, progress] = statuses[image.status] ?? ['UNKNOWN', 0]
  return {
    ...summaryView(ctx, image),
    minRam: image.min_ram,
    minDisk: image.min_disk,
    metadata: image.properties,
    created: image.created_at,
    updated: image.updated_at,
    status,
    progress,
    'OS-EXT-IMG-SIZE:size': image.size,
    ...(server !== undefined && { server: { id: server, links: resourceLinks(ctx, `servers/${server}`) } }),
    ...(disk !== undefined && { 'OS-DCF:diskConfig': booleanOf(disk) ? 'AUTO' : 'MANUAL' }),
  }
}
