/** Where the bytes of an import come from: staged already, another store, a web server, another image service. */
import type { Readable } from 'node:stream'
import { type Ctx, type Env, perCloud } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { factHeaders } from '#kernel/http/request-id.ts'
import { imageConfig } from '../config.ts'
import { visibleImage } from '../images/image.ts'
import { images } from '../images/store.ts'
import { locationsOf } from '../locations/location.ts'
import { openUrl } from '../outside.ts'
import { bytesOf } from './download.ts'

export interface Method {
  name: string
  uri?: string
  glance_region?: string
  glance_image_id?: string
  glance_service_interface?: string
}

/** What an image elsewhere says of itself. */
export interface Described {
  disk_format: string | null
  container_format: string | null
  properties: Record<string, string>
  size: number | null
}

/** Users' tokens, for as long as their imports from elsewhere take: a journal keeps no secrets. By task. */
export const tokensOf = perCloud(() => new Map<string, string>())

const tokenGiven = 'image.import-token'

/** Gives a token to the process that will run the import; to be called before the import's saga is begun. */
export function giveToken(tx: Ctx, task: string, token: string): void {
  tx.afterCommit(() => tx.bus.publish(tokenGiven, { task, token }))
}

/** Takes the tokens of imports that other processes begin, too. */
export function takeTokens(env: Env): AsyncDisposable {
  return env.bus.subscribe(tokenGiven, given => {
    const { task, token } = given as { task: string; token: string }
    tokensOf(env).set(task, token)
  })
}

/** Opens the bytes of an import that are not on this machine yet. */
export async function openSource(ctx: Ctx, task: string, image: string, method: Method, signal: AbortSignal) {
  if (method.name === 'web-download') return answered(await openUrl(ctx, method.uri!, { signal }))
  if (method.name === 'copy-image') return heldBytes(ctx, image, signal)
  const remote = await endpointOf(ctx, method)
  if (!remote) return heldBytes(ctx, method.glance_image_id!, signal)
  const url = `${remote}/v2/images/${method.glance_image_id}/file`
  return answered(await openUrl(ctx, url, { headers: asUser(ctx, task), signal, guarded: false }))
}

function answered({ status, body }: Awaited<ReturnType<typeof openUrl>>): Readable {
  if (status === 200) return body
  body.destroy()
  throw new Error(`the server answered ${status}`)
}

async function heldBytes(ctx: Ctx, id: string, signal: AbortSignal): Promise<Readable> {
  const row = await images.find(ctx.db, { id })
  if (!row) throw new NotFound(`No image found with ID ${id}`)
  const locations = (await locationsOf(ctx.db, [id])).get(id) ?? []
  return bytesOf(ctx, { ...row, locations }, undefined, signal)
}

/** What the image elsewhere is; undefined for methods that have none. */
export async function describeSource(ctx: Ctx, task: string, method: Method): Promise<Described | undefined> {
  if (method.name !== 'glance-download') return undefined
  const remote = await endpointOf(ctx, method)
  const found = remote
    ? await readRemote(ctx, `${remote}/v2/images/${method.glance_image_id}`, asUser(ctx, task))
    : await readLocal(ctx, method.glance_image_id!)
  if (found.status !== 'active') throw new Error(`Source image status should be active instead of ${found.status}`)
  const taken = ctx.config.of(imageConfig).download_properties
  const properties = Object.entries(found).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && taken.some(word => entry[0].startsWith(word)),
  )
  const text = (value: unknown) => (typeof value === 'string' ? value : null)
  return {
    disk_format: text(found.disk_format),
    container_format: text(found.container_format),
    properties: Object.fromEntries(properties.filter(([, value]) => value.length < 65_536).slice(0, 100)),
    size: typeof found.size === 'number' ? found.size : null,
  }
}

async function readLocal(ctx: Ctx, id: string): Promise<Record<string, unknown>> {
  const { properties, ...image } = await visibleImage(ctx, id)
  return { ...properties, ...image }
}

const longestDescription = 1_000_000

async function readRemote(ctx: Ctx, url: string, headers: Record<string, string>): Promise<Record<string, unknown>> {
  const body = answered(await openUrl(ctx, url, { headers, guarded: false }))
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of body) {
    size += piece.length
    if (size > longestDescription) throw new Error('the other image service says too much')
    pieces.push(piece)
  }
  return JSON.parse(Buffer.concat(pieces).toString('utf8'))
}

/** The address of the image service of a region; undefined for our own. */
async function endpointOf(ctx: Ctx, { glance_region, glance_service_interface }: Method): Promise<string | undefined> {
  const found = await ctx.services.identity.endpoint(ctx, {
    type: 'image',
    region: glance_region!,
    interface: glance_service_interface ?? 'public',
  })
  if (found === undefined)
    throw new Error(`no image service is known in the region ${glance_region}, interface ${glance_service_interface}`)
  return found.ours ? undefined : found.url.replace(/\/(v2\/?)?$/, '')
}

/** With the user's token, and with what the user's request said of itself, so that both clouds know what belongs together. */
function asUser(ctx: Ctx, task: string): Record<string, string> {
  const token = tokensOf(ctx).get(task)
  if (token === undefined) throw new Error('the import was interrupted and its token is gone: begin it again')
  return { 'x-auth-token': token, ...factHeaders(ctx) }
}
