/** The catalog: where each service answers. */
import type { Ctx } from '#kernel/context.ts'
import { Type } from '#kernel/schema/builders.ts'
import { linksAnswer, texts } from '../answers.ts'
import { identityConfig } from '../config.ts'
import { endpointsOfProject } from '../endpoint-groups/endpoint-group.ts'
import { linkTo } from '../listing.ts'
import { perGeneration } from '../revocations/revocation.ts'
import { type EndpointRow, endpoints, type ServiceRow, services } from './store.ts'
import { catalogOfFile } from './template.ts'

/** What a service has besides, in the API and in catalogs: the id of another service, with which alone it goes. */
export const partnerKey = 'nephos:partner'

export interface CatalogEntry {
  id: string
  type: string
  name: string
  endpoints: { id: string; interface: string; region_id: string | null; region: string | null; url: string }[]
  /** The id of the service that it goes with. */
  [partnerKey]?: string
}

/** A service and its endpoints that are open. */
export interface Offer {
  service: Pick<ServiceRow, 'id' | 'type' | 'name'> & Partial<Pick<ServiceRow, 'extra'>>
  endpoints: Pick<EndpointRow, 'id' | 'interface' | 'region_id' | 'url'>[]
}

/** Where the catalog comes from. */
type CatalogDriver = (ctx: Ctx) => Promise<Offer[]>

const fromDatabase: CatalogDriver = perGeneration(async ctx => {
  const open = await endpoints.list(ctx.db, { enabled: true }, { orderBy: [{ column: 'id', direction: 'asc' }] })
  const all = await services.list(ctx.db, { enabled: true }, { orderBy: [{ column: 'type', direction: 'asc' }] })
  return all.map(service => ({ service, endpoints: open.filter(one => one.service_id === service.id) }))
})

const fileOf = (ctx: Ctx) => ctx.config.of(identityConfig).catalog_template_file

/** All that there is, whoever asks. */
export const offered: CatalogDriver = ctx => (fileOf(ctx) === '' ? fromDatabase(ctx) : catalogOfFile(ctx, fileOf(ctx)))

/** An endpoint's address as this caller should use it; project marks stay as they are. */
export function shownUrl(ctx: Ctx, url: string): string {
  return url.replace('%(base)s', () => ctx.base)
}

export const endpointAnswer = Type.Object({
  ...texts('id', 'interface', 'region_id', 'region', 'service_id', 'url'),
  enabled: Type.Boolean(),
  links: linksAnswer,
})

export function endpointView(ctx: Ctx, row: EndpointRow) {
  const { extra, id, service_id, region_id, interface: side, url, enabled } = row
  return {
    ...extra,
    id,
    interface: side,
    region_id,
    region: region_id,
    service_id,
    url: shownUrl(ctx, url),
    enabled,
    links: linkTo(ctx, `endpoints/${id}`),
  }
}

const projectMark = /[%$]\((?:project|tenant)_id\)s/g
const userMark = /[%$]\(user_id\)s/g

/** The address with its marks filled in; undefined when it needs a project and the token has none. */
function filledUrl(ctx: Ctx, url: string, userId: string, projectId: string | undefined): string | undefined {
  const shown = shownUrl(ctx, url).replace(userMark, userId)
  if (projectId === undefined) return shown.search(projectMark) < 0 ? shown : undefined
  return shown.replace(projectMark, projectId)
}

export async function catalogFor(ctx: Ctx, userId: string, projectId: string | undefined): Promise<CatalogEntry[]> {
  // What projects are held to are endpoints of the API: a file is the same for all, as upstream.
  const isHeld = projectId !== undefined && fileOf(ctx) === ''
  const only = isHeld ? await endpointsOfProject(ctx, projectId) : undefined
  const held = only && (await offered(ctx)).filter(entry => entry.endpoints.some(one => only.has(one.id)))
  return (held ?? (await offered(ctx))).map(({ service, endpoints }) => ({
    endpoints: endpoints.flatMap(one => {
      if (only && !only.has(one.id)) return []
      const url = filledUrl(ctx, one.url, userId, projectId)
      if (url === undefined) return []
      return [{ id: one.id, interface: one.interface, region_id: one.region_id, region: one.region_id, url }]
    }),
    id: service.id,
    type: service.type,
    name: service.name ?? '',
    ...(partnerOf({ service }) && { [partnerKey]: partnerOf({ service })! }),
  }))
}

function partnerOf({ service }: Pick<Offer, 'service'>): string | undefined {
  const partner = service.extra?.[partnerKey]
  return typeof partner === 'string' ? partner : undefined
}

const isOwn = ({ endpoints: all }: Offer) => all.some(one => one.url.startsWith('%(base)s'))

/** Why this cloud's service of one of the types does not go with its own of another type: it has another partner. */
export async function strangerTo(
  ctx: Ctx,
  { types, to }: { types: readonly string[]; to: string },
): Promise<string | undefined> {
  const all = await offered(ctx)
  const asked = all.find(one => types.includes(one.service.type) && isOwn(one) && partnerOf(one) !== undefined)
  const partner = asked && partnerOf(asked)
  if (!asked || all.some(one => one.service.type === to && isOwn(one) && one.service.id === partner)) return undefined
  const named = all.find(one => one.service.id === partner)?.service
  const called = named ? `${named.name ?? named.type} (${named.id})` : partner
  return `The service ${asked.service.name ?? asked.service.type} goes with ${called}, not with the ${to} service here: see ${partnerKey} in the catalog.`
}
