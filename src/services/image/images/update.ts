/** Changes an image by JSON-patch. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Forbidden, UnsupportedMediaType } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { tellImage } from '../events.ts'
import { editLocations, type Sizes, sizesOf } from '../locations/steps.ts'
import { modifyImage } from '../rules.ts'
import { imageAnswer, settable } from './attributes.ts'
import { checkVisibility } from './create.ts'
import { complete, type Image, type ImageTarget, noImage, view, visibleImage, writeDetails } from './image.ts'
import { type Change, parsePatch, patchTypes } from './patch.ts'
import { imageSchemaOf } from './properties.ts'
import { type ImageRow, images } from './store.ts'

const patchBody = Type.Array(
  Type.Object({
    op: Type.Union([Type.Literal('add'), Type.Literal('replace'), Type.Literal('remove')]),
    path: Type.String({ description: '/name of a property, or /tags.' }),
    value: Type.Optional(Type.Unknown()),
  }),
)

export const updateImage = operation({
  id: 'image.images.update',
  method: 'PATCH',
  path: '/v2/images/{image_id}',
  summary: 'Update an image',
  policy: modifyImage,
  takes: patchBody,
  accepts: Object.values(patchTypes),
  response: imageAnswer,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { params, headers, body }) {
    const type = headers['content-type']?.split(';')[0]?.trim()
    const dialect = type === patchTypes.new ? 'new' : type === patchTypes.old ? 'old' : undefined
    if (!dialect) {
      const allowed = [patchTypes.old, patchTypes.new].join(', ')
      throw new UnsupportedMediaType(`Image PATCH expects Content-Type one of: ${allowed}`, {
        headers: { 'accept-patch': allowed },
      })
    }
    const changes = parsePatch(body, dialect, imageSchemaOf(ctx))
    // Asked before the transaction: web servers are slow.
    const sizes = await sizesOf(
      ctx,
      changes.filter(one => one.name === 'locations'),
    )
    return view(ctx, await ctx.transaction(tx => change(tx, params.image_id, { changes, dialect, sizes }))) as never
  },
})

/** Applies the changes to the image as it is now; two callers never lose one another's. */
interface Patch {
  changes: Change[]
  dialect: 'old' | 'new'
  sizes: Sizes
}

async function change(ctx: Ctx, id: string, { changes, dialect, sizes }: Patch): Promise<Image> {
  const now = new Date(ctx.clock.now()).toISOString()
  // Writing first locks the row until the end of the transaction.
  if ((await images.update(ctx.db, { id }, { updated_at: now })) === 0) throw noImage(id)
  const before = await visibleImage(ctx, id)
  const image: ImageTarget = { ...before, properties: { ...before.properties }, tags: [...before.tags] }
  for (const one of changes)
    if (one.name === 'locations') await editLocations(ctx, image, one, sizes)
    else apply(ctx, image, one, dialect)
  if (image.visibility !== before.visibility) checkVisibility(ctx, image)
  const { name, visibility, owner, disk_format, container_format, min_disk, min_ram, os_hidden } = image
  await images.update(
    ctx.db,
    { id },
    {
      name,
      visibility,
      owner,
      disk_format,
      container_format,
      min_disk,
      min_ram,
      os_hidden,
      protected: image.protected,
    },
  )
  await writeDetails(ctx, image)
  const row = await images.find(ctx.db, { id })
  const [became] = await complete(ctx, [row!])
  await tellImage(ctx, 'update', became!)
  if (became!.status !== before.status) await tellImage(ctx, 'activate', became!)
  return became!
}

function apply(ctx: Ctx, image: ImageTarget, { op, name, value }: Change, dialect: 'old' | 'new'): void {
  const isAttribute = settable.has(name)
  if (op === 'add' && dialect === 'old' && (isAttribute || Object.hasOwn(image.properties, name)))
    throw new Conflict(`Property ${name} already present.`)
  if (op === 'remove' && isAttribute) throw new Forbidden(`Property ${name} may not be removed.`)
  if (op !== 'add' && !isAttribute && !Object.hasOwn(image.properties, name))
    throw new Conflict(`Property ${name} does not exist.`)
  if (op === 'remove') delete image.properties[name]
  else if (isAttribute) set(ctx, image, name, value)
  else if (name.length > 255) throw new BadRequest('Custom property should not be greater than 255 characters.')
  else image.properties[name] = value as string
}

function set(ctx: Ctx, image: ImageTarget, name: string, value: unknown): void {
  if (name === 'owner' && !ctx.identity.roles.includes('admin'))
    throw new Forbidden("Owner can't be updated by non admin.")
  if ((name === 'disk_format' || name === 'container_format') && !['queued', 'importing'].includes(image.status))
    throw new Forbidden(`Attribute ${name} can be only replaced for a queued image.`)
  if ((name === 'min_disk' || name === 'min_ram') && (value as number) < 0)
    throw new BadRequest(`Invalid value '${value}' for parameter '${name}': Cannot be a negative value`)
  if (name === 'tags') image.tags = [...new Set(value as string[])].sort()
  else (image as Record<string, unknown>)[name as keyof ImageRow] = value
}
