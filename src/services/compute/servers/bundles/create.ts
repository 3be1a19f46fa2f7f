/** Makes the servers of a bundle: checked, counted, placed as one and claimed in one transaction; each is built by its own saga. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { name } from '../../dialect.ts'
import { tell } from '../../events.ts'
import { type BundleRow, bundles, links } from '../../links/store.ts'
import type { BundleLink } from '../../scheduler/bundle.ts'
import { joinGroup } from '../../server-groups/store.ts'
import { type BuildRequest, buildRequest } from '../build-request.ts'
import { beginServer, newRows, newServer } from '../create.ts'
import { type CreateBody, createRequest } from '../create-schema.ts'
import { noValidHost } from '../explanation.ts'
import { admitted } from '../quota.ts'
import { amountsOf } from '../resources.ts'
import type { ServerRow } from '../server.ts'
import { insertServer, updateServer } from '../store.ts'
import { cell1 } from '../store-cells.ts'
import { type BundlePlacing, lackText, placeBundle, type Refusal } from './placing.ts'

const link = Type.Object(
  {
    /** Names of two of its servers. */
    between: Type.Array(name, { minItems: 2, maxItems: 2 }),
    /** 0: on one host; 2: in what the network's first level is, such as a rack. */
    max_hops: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
    /** Mbit/s, each way. */
    bandwidth: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000 })),
  },
  { additionalProperties: false },
)

export const bundleRequest = Type.Object(
  {
    bundle: Type.Object(
      {
        name: Type.Optional(name),
        /** As `POST /servers` takes them. */
        servers: Type.Array(createRequest, { minItems: 1, maxItems: 20 }),
        links: Type.Optional(Type.Array(link, { maxItems: 200 })),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)

export interface BundleBody {
  bundle: { name?: string; servers: CreateBody[]; links?: Static<typeof link>[] }
}

/** What a bundle says in its links: hints that count servers would say it again, and otherwise. */
const linkedHints = ['same_place', 'prefer_same_place', 'spread_over', 'prefer_spread_over', 'all_or_nothing']

/** Throws BadRequest for what no cloud could do. */
function linksOf({ bundle: { servers, links: asked = [] } }: BundleBody): BundleLink[] {
  const names = servers.map(({ server }) => server.name)
  const twice = names.find((one, at) => names.indexOf(one) < at)
  if (twice !== undefined)
    throw new BadRequest(`Two servers of the bundle are called ${twice}: its links could not tell them apart.`)
  const known = new Set<string>()
  return asked.map(({ between: [a, b], max_hops, bandwidth }) => {
    const ends: [number, number] = [names.indexOf(a!), names.indexOf(b!)]
    const missing = [a, b].find((_, at) => ends[at]! < 0)
    if (missing !== undefined) throw new BadRequest(`A link names ${missing}, which is no server of the bundle.`)
    if (a === b) throw new BadRequest(`A link of ${a} to itself is none.`)
    if (max_hops === undefined && bandwidth === undefined)
      throw new BadRequest(`The link between ${a} and ${b} asks for nothing: give it max_hops, bandwidth or both.`)
    const pair = ends.toSorted().join(' ')
    if (known.has(pair))
      throw new BadRequest(`There are two links between ${a} and ${b}: ask for one with both limits.`)
    known.add(pair)
    return { ends, max_hops: max_hops ?? null, bandwidth: bandwidth ?? 0 }
  })
}

async function requestFor(ctx: Ctx, body: CreateBody, project: string, bundle_id: string): Promise<BuildRequest> {
  const asked = await buildRequest(ctx, body, project)
  if (asked.max_count > 1)
    throw new BadRequest(`Server ${asked.name} of the bundle is one: name each of several, so that links can.`)
  const hint = linkedHints.find(one => asked.spec.scheduler_hints[one] !== undefined)
  if (hint !== undefined) throw new BadRequest(`The hint ${hint} is not for servers of a bundle: say it by links.`)
  return { ...asked, spec: { ...asked.spec, bundle_id } }
}

interface Made {
  bundle: BundleRow
  placing: BundlePlacing
  made: { asked: BuildRequest; row: ServerRow }[]
}

/** The rows of all servers, and hosts for them if there are some. In a transaction, which has to be undone when there are none. */
export async function tryBundle(ctx: Ctx, body: BundleBody, project_id: string): Promise<Made> {
  const asked = linksOf(body)
  const id = ctx.ids.uuid()
  const reservation_id = `r-${ctx.ids.hex().slice(0, 8)}`
  const made: Made['made'] = []
  for (const [launch_index, server] of body.bundle.servers.entries()) {
    const request = await requestFor(ctx, server, project_id, id)
    await admitted(ctx, project_id, { ...amountsOf(request.image, request.flavor), min_count: 1, max_count: 1 })
    const [first] = newRows(ctx, request, project_id, 1)
    const row = { ...first!, reservation_id, launch_index }
    await insertServer(ctx, await newServer(ctx, request, row, cell1))
    made.push({ asked: request, row })
  }
  const bundle: BundleRow = {
    ...{ id, name: body.bundle.name ?? `bundle-${id}`, project_id, user_id: ctx.identity.user_id, reservation_id },
    servers: made.map(({ row }) => ({ id: row.id, name: row.display_name })),
    created_at: new Date(ctx.clock.now()).toISOString(),
  }
  await bundles.insert(ctx.db, bundle)
  await links.insertMany(
    ctx.db,
    asked.map(({ ends: [a, b], max_hops, bandwidth }) => ({
      ...{ id: ctx.ids.uuid(), bundle_id: id, server_a: made[a]!.row.id, server_b: made[b]!.row.id },
      ...{ max_hops, bandwidth },
    })),
  )
  const members = made.map(({ asked: { flavor, image, spec }, row }) => ({
    id: row.id,
    request: { flavor, image, spec, ignore: [], project_id, user_id: ctx.identity.user_id },
  }))
  return { bundle, made, placing: await placeBundle(ctx, members, asked) }
}

/** Undoes the transaction of a bundle that has no place. */
class NoPlace extends Error {
  readonly refusal: Refusal
  readonly made: Made['made']
  constructor(refusal: Refusal, made: Made['made']) {
    super('a bundle has no place')
    this.refusal = refusal
    this.made = made
  }
}

/** Throws `Conflict` with the limit that stands in the way when there is no place. */
export async function createBundle(ctx: Ctx, body: BundleBody, project_id: string): Promise<BundleRow> {
  try {
    return await ctx.transaction(tx => beginBundle(tx, body, project_id))
  } catch (error) {
    if (error instanceof NoPlace) throw new Conflict((await reasonOf(ctx, error.refusal, error.made)).message)
    throw error
  }
}

async function beginBundle(ctx: Ctx, body: BundleBody, project_id: string): Promise<BundleRow> {
  const { bundle, made, placing } = await tryBundle(ctx, body, project_id)
  if (!('hosts' in placing)) throw new NoPlace(placing, made)
  for (const [at, { asked, row }] of made.entries()) {
    const { host, node, zone } = placing.hosts[at]!
    const placed = { host, node, availability_zone: zone }
    await updateServer(ctx, row.id, placed)
    await tell(ctx, { ...row, ...placed }, 'create.start')
    if (asked.spec.group_id !== null) await joinGroup(ctx, asked.spec.group_id, row.id)
    await beginServer(ctx, asked, { ...row, ...placed })
  }
  return bundle
}

/** Why a bundle has no place, for its user and, when asked for, host by host. Not to be called in a transaction: it may take long. */
export async function reasonOf(ctx: Ctx, refusal: Refusal, made: Made['made']) {
  if ('lack' in refusal) {
    const lack = await refusal.lack()
    const message = `The bundle cannot be placed: ${lackText(lack)}.`
    return { message, explanation: () => refusal.explanation(ctx, lack) }
  }
  const { member, explanation } = refusal
  const { row } = made.find(one => one.row.id === member.id)!
  const why = noValidHost(ctx, explanation).message
  const message = `The bundle cannot be placed for server ${row.display_name} alone: ${why}`
  return { message, explanation: async () => explanation }
}
