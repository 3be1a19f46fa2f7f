/** Asks for the import of an image; the work is a saga. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { isUuid } from '#kernel/schema/validate.ts'
import { imageConfig } from '../config.ts'
import { type ImageTarget, noImage, visibleImage } from '../images/image.ts'
import { type ImageRow, images } from '../images/store.ts'
import { locations } from '../locations/store.ts'
import { allowedUrl } from '../outside.ts'
import { checkLimit } from '../quota.ts'
import { copyImage, modifyImage } from '../rules.ts'
import { storesOf } from '../stores.ts'
import { newTask } from '../tasks/task.ts'
import { targetOf } from './convert.ts'
import { type ImportInput, importSaga } from './import.ts'
import { importBegins, nothingToImport, taskProperty } from './progress.ts'
import { giveToken, type Method } from './source.ts'
import { newBlob } from './upload.ts'

export interface Asked {
  method: Method
  stores?: string[]
  all_stores: boolean
  all_stores_must_succeed: boolean
}

type Body = Record<string, unknown>
const isObject = (value: unknown): value is Body => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The request, checked as far as no image is needed. Throws 400. */
function askedOf(ctx: Ctx, body: unknown): Asked {
  if (!isObject(body)) throw new BadRequest('Body expected in request.')
  if (!isObject(body.method)) throw new BadRequest("Import request requires a 'method' field.")
  const { name } = body.method
  if (name === undefined) throw new BadRequest("Import request requires a 'name' field.")
  if (typeof name !== 'string' || !ctx.config.of(imageConfig).import_methods.includes(name))
    throw new BadRequest(`Unknown import method name '${String(name)}'.`)
  for (const [key, value] of Object.entries(body.method))
    if (typeof value !== 'string' || value.length > 2048) throw new BadRequest(`'${key}' of the method must be text.`)
  const flag = (key: string, usual: boolean) => {
    const value = body[key] ?? usual
    if (typeof value !== 'boolean') throw new BadRequest(`'${key}' must be boolean value only`)
    return value
  }
  const { stores } = body
  if (stores !== undefined && !(Array.isArray(stores) && stores.every(store => typeof store === 'string')))
    throw new BadRequest("'stores' must be a list of the names of stores.")
  return {
    method: body.method as unknown as Method,
    ...(stores && { stores: [...new Set(stores as string[])] }),
    all_stores: flag('all_stores', false),
    all_stores_must_succeed: flag('all_stores_must_succeed', true),
  }
}

const importBody = Type.Object({
  method: Type.Object({
    name: Type.String({ description: 'One of the import methods that discovery lists.' }),
    uri: Type.Optional(Type.String()),
    glance_region: Type.Optional(Type.String()),
    glance_image_id: Type.Optional(Type.String()),
    glance_service_interface: Type.Optional(Type.String()),
  }),
  stores: Type.Optional(Type.Array(Type.String())),
  all_stores: Type.Optional(Type.Boolean({ default: false })),
  all_stores_must_succeed: Type.Optional(Type.Boolean({ default: true })),
})

function storesFor(ctx: Ctx, asked: Asked, header: string | undefined): string[] {
  const { main, writable } = storesOf(ctx)
  if (asked.all_stores) {
    if (asked.stores || header !== undefined)
      throw new BadRequest("All_stores parameter can't be used with x-image-meta-store header or stores parameter")
    return writable.map(store => store.id)
  }
  if (asked.stores && header !== undefined)
    throw new BadRequest("Stores parameter and x-image-meta-store header can't be both specified")
  const names = asked.stores ?? [header ?? main.id]
  const unknown = names.find(name => !writable.some(store => store.id === name))
  if (unknown !== undefined) throw new Conflict(`Store for identifier ${unknown} not found`)
  if (names.length === 0) throw new BadRequest('The list of stores is empty.')
  return names
}

/** Throws when an image in this state cannot be imported so. */
function checkState(image: ImageRow, { method }: Asked): void {
  const { name } = method
  const conflict = (message: string) => {
    throw new Conflict(message)
  }
  if (image.status === 'active' && name !== 'copy-image')
    conflict('Image with status active cannot be target for import')
  if (image.status !== 'active' && name === 'copy-image')
    conflict('Only images with status active can be targeted for copying')
  if (image.status !== 'queued' && (name === 'web-download' || name === 'glance-download'))
    conflict(`Image needs to be in 'queued' state to use '${name}' method`)
  if (name === 'glance-direct' && (image.status !== 'uploading' || image.alive_at !== null))
    conflict("Image needs to be staged before 'glance-direct' method can be used")
  for (const format of ['container_format', 'disk_format'] as const)
    if (image[format] === null) conflict(`'${format}' needs to be set before import`)
}

function checkMethod(ctx: Ctx, method: Method): void {
  if (method.name === 'web-download') checkUri(ctx, method.uri)
  if (method.name !== 'glance-download') return
  for (const name of ['glance_region', 'glance_image_id'] as const)
    if (method[name] === undefined) throw new BadRequest(`'${name}' needs to be set for glance-download import method`)
  if (!isUuid(method.glance_image_id!))
    throw new BadRequest(`Remote image id does not look like a UUID: ${method.glance_image_id}`)
  method.glance_service_interface ??= 'public'
}

/** Throws 400 for an address that users may not have anything downloaded from. */
export function checkUri(ctx: Ctx, uri: string | undefined): void {
  try {
    allowedUrl(ctx, uri ?? '')
  } catch (cause) {
    throw new BadRequest(`URI for web-download does not pass filtering: ${uri ?? 'None'}`, { cause })
  }
}

export const importImage = operation({
  id: 'image.images.import',
  method: 'POST',
  path: '/v2/images/{image_id}/import',
  summary: 'Import the bytes of an image',
  // Which rule it is depends on the method.
  policy: 'authenticated',
  takes: importBody,
  load: (ctx, { params }) => visibleImage(ctx, params.image_id),
  async handle(ctx, { target, body, headers }) {
    const asked = askedOf(ctx, body)
    ctx.enforce(asked.method.name === 'copy-image' ? copyImage : modifyImage, target)
    checkState(target, asked)
    checkMethod(ctx, asked.method)
    await checkLimit(ctx, target.owner, 'image_size_total', 0)
    const stores = storesFor(ctx, asked, headers['x-image-meta-store'])
    await ctx.transaction(tx => begin(tx, target, asked, stores))
    return reply(undefined, { status: 202 })
  },
})

async function begin(tx: Ctx, target: ImageTarget, asked: Asked, wanted: string[]): Promise<void> {
  const now = new Date(tx.clock.now()).toISOString()
  // Writing first locks the row until the end of the transaction.
  if ((await images.update(tx.db, { id: target.id }, { updated_at: now })) === 0) throw noImage(target.id)
  const image = await visibleImage(tx, target.id)
  checkState(image, asked)
  if (image.properties[taskProperty] !== undefined)
    throw new Conflict(`New operation on image '${image.id}' is not permitted as prior operation is still in progress`)
  const stores = newStores(image, asked, wanted)
  if (stores.length === 0) return nothingToImport(tx, image.id)
  await startImport(tx, image, { ...asked, stores })
}

/** Those that do not hold the image yet. */
function newStores(image: ImageTarget, { method, all_stores }: Asked, wanted: string[]): string[] {
  if (method.name !== 'copy-image') return wanted
  const held = wanted.filter(store => image.locations.some(location => location.store === store))
  if (held.length > 0 && !all_stores) throw new BadRequest(`Image is already present at store '${held[0]}'`)
  return wanted.filter(store => !held.includes(store))
}

/** Begins the import of an image that nothing else is under way with. */
export async function startImport(
  tx: Ctx,
  image: ImageRow,
  asked: Asked & { stores: string[] },
  { task = undefined as string | undefined, temporary = false } = {},
): Promise<void> {
  const blob = image.blob ?? newBlob(tx, image.id)
  const { stores, method } = asked
  const { all_stores, all_stores_must_succeed: allMustSucceed } = asked
  const import_req = { method, stores, all_stores, all_stores_must_succeed: allMustSucceed }
  const id =
    task ??
    (
      await newTask(tx, {
        type: 'api_image_import',
        image_id: image.id,
        input: { image_id: image.id, import_req, backend: stores },
      })
    ).id
  const status = method.name === 'copy-image' ? image.status : 'importing'
  await images.update(tx.db, { id: image.id }, { status, blob, alive_at: null })
  if (method.name !== 'copy-image') await locations.remove(tx.db, { image_id: image.id })
  await importBegins(tx, image.id, id, stores)
  const { token } = tx.identity
  if (method.name === 'glance-download' && token !== undefined) giveToken(tx, id, token)
  const to = targetOf(tx, method.name)
  const input: ImportInput = {
    ...{ task: id, image: image.id, blob, method, stores, allMustSucceed, temporary },
    ...(to && { convert: to }),
  }
  await tx.sagas.start(tx, importSaga, input, image.id)
}
