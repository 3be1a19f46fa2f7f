/** Bundles: servers that are asked for as one, with limits on the links between them. Where hosts are is for the cloud to know. Not upstream's. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { admin, projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { afterMarker, body, isAdmin, linksSchema, newestFirst, pageQuery, paging } from '../../dialect.ts'
import { asExtended } from '../../extensions/steps.ts'
import { hopsOf } from '../../links/steps.ts'
import { type BundleRow, bundles, links, removeBundle } from '../../links/store.ts'
import { statusOf } from '../server.ts'
import { listServers } from '../store.ts'
import { forgetBundle } from '../store-asked.ts'
import { tryOut } from '../trial.ts'
import { type BundleBody, bundleRequest, createBundle, reasonOf, tryBundle } from './create.ts'

const ruleOf = (verb: string, check: string) => rule(`nephos:bundles:${verb}`, check)

const bundleSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  project_id: Type.String(),
  user_id: Type.String(),
  reservation_id: Type.String(),
  created_at: Type.String(),
  servers: Type.Array(Type.Object({ id: Type.String(), name: Type.String(), status: Type.String() })),
  links: Type.Array(
    Type.Object({
      between: Type.Array(Type.String()),
      max_hops: Type.Union([Type.Integer(), Type.Null()]),
      bandwidth: Type.Union([Type.Integer(), Type.Null()]),
      /** How far apart its ends are now; null while one of them has no host. */
      hops: Type.Union([Type.Integer(), Type.Null()]),
    }),
  ),
})

/** As many statements for all of them as for one. */
async function views(ctx: Ctx, all: readonly BundleRow[]) {
  const ids = all.flatMap(({ servers }) => servers.map(({ id }) => id))
  const statuses = new Map((await listServers(ctx, { id: ids })).map(row => [row.id, statusOf(row)]))
  const ofAll = await links.list(ctx.db, { bundle_id: all.map(({ id }) => id) })
  const hops = await hopsOf(ctx, ofAll)
  const byBundle = Map.groupBy(ofAll, link => link.bundle_id)
  return all.map(({ servers, ...bundle }) => {
    const names = new Map(servers.map(({ id, name }) => [id, name]))
    return {
      ...bundle,
      servers: servers.flatMap(({ id, name }) => (statuses.has(id) ? [{ id, name, status: statuses.get(id)! }] : [])),
      links: (byBundle.get(bundle.id) ?? [])
        .map(({ id, server_a, server_b, max_hops, bandwidth }) => ({
          between: [names.get(server_a) ?? server_a, names.get(server_b) ?? server_b],
          max_hops,
          bandwidth: bandwidth || null,
          hops: hops.get(id) ?? null,
        }))
        .sort((x, y) => (x.between.join() < y.between.join() ? -1 : 1)),
    }
  })
}

const view = async (ctx: Ctx, bundle: BundleRow) => (await views(ctx, [bundle]))[0]!

async function load(ctx: Ctx, { params: { bundle_id: id } }: { params: { bundle_id: string } }): Promise<BundleRow> {
  const found = await bundles.find(ctx.db, { id })
  if (found && (found.project_id === ctx.identity.project_id || isAdmin(ctx))) return found
  throw new NotFound(`Bundle ${id} could not be found.`)
}

function ownProject(ctx: Ctx): string {
  const project = ctx.identity.project_id
  if (project === undefined) throw new BadRequest('A bundle belongs to a project: use a token that is scoped to one.')
  return project
}

/** As extensions would have it. */
async function asExtendedBundle(ctx: Ctx, { bundle }: BundleBody): Promise<BundleBody> {
  const servers: BundleBody['bundle']['servers'] = []
  for (const one of bundle.servers) servers.push(await asExtended(ctx, one))
  return { bundle: { ...bundle, servers } }
}

const create = operation({
  id: 'compute.bundles.create',
  method: 'POST',
  path: '/v2.1/os-bundles',
  summary: 'Create servers as one, with limits on the links between them',
  policy: ruleOf('create', projectMemberOrAdmin),
  request: bundleRequest,
  status: 202,
  response: body('bundle', bundleSchema),
  async handle(ctx, request) {
    const project = ownProject(ctx)
    const asked = await asExtendedBundle(ctx, request.body as BundleBody)
    const bundle = await createBundle(ctx, asked, project)
    return reply({ bundle: await view(ctx, bundle) }, { status: 202 })
  },
})

const list = operation({
  id: 'compute.bundles.list',
  method: 'GET',
  path: '/v2.1/os-bundles',
  summary: 'List bundles, the newest first',
  policy: ruleOf('list', projectReaderOrAdmin),
  query: Type.Object(pageQuery, { additionalProperties: false }),
  response: Type.Object({ bundles: Type.Array(bundleSchema), bundles_links: Type.Optional(linksSchema) }),
  async handle(ctx, { query: { limit, marker }, url }) {
    const own = { project_id: ctx.identity.project_id ?? '' }
    const after = await afterMarker(marker, id => bundles.find(ctx.db, { ...own, id }))
    const page = paging(ctx, limit)
    const found = await bundles.list(ctx.db, own, { ...newestFirst, ...after, limit: page.limit })
    const links = page.links('bundles_links', url, found.length, found.at(-1)?.id)
    return { bundles: await views(ctx, found), ...links }
  },
})

const show = operation({
  id: 'compute.bundles.show',
  method: 'GET',
  path: '/v2.1/os-bundles/{bundle_id}',
  summary: 'Show a bundle: its servers, its links and how far apart their ends are',
  policy: ruleOf('show', projectReaderOrAdmin),
  response: body('bundle', bundleSchema),
  load,
  handle: async (ctx, { target }) => ({ bundle: await view(ctx, target) }),
})

const remove = operation({
  id: 'compute.bundles.delete',
  method: 'DELETE',
  path: '/v2.1/os-bundles/{bundle_id}',
  summary: 'End what was promised of the links of a bundle; its servers stay',
  policy: ruleOf('delete', projectMemberOrAdmin),
  load,
  status: 204,
  async handle(ctx, { target }) {
    await ctx.transaction(async tx => {
      await removeBundle(tx, target.id)
      await forgetBundle(
        tx,
        target.servers.map(({ id }) => id),
      )
    })
  },
})

const refused = Type.Object({ host: Type.String(), rule: Type.String(), asked: Type.String(), had: Type.String() })

/** As with `os-destinations`: nothing is made. */
const destinations = operation({
  id: 'compute.bundles.destinations',
  method: 'POST',
  path: '/v2.1/os-bundle-destinations',
  summary: 'Choose hosts for a bundle without creating it',
  policy: ruleOf('destinations', admin),
  request: bundleRequest,
  response: Type.Object({
    /** One for each server, or none at all. */
    destinations: Type.Array(Type.Object({ server: Type.String(), host: Type.String() })),
    reason: Type.Optional(Type.String()),
    refused: Type.Optional(Type.Array(refused)),
  }),
  async handle(ctx, request) {
    const project = ownProject(ctx)
    const asked = await asExtendedBundle(ctx, request.body as BundleBody)
    const { placing, made } = await tryOut(ctx, tx => tryBundle(tx, asked, project))
    if ('hosts' in placing) {
      const hosts = placing.hosts.map(({ host }) => host)
      return { destinations: made.map(({ row }, at) => ({ server: row.display_name, host: hosts[at]! })) }
    }
    const { message, explanation } = await reasonOf(ctx, placing, made)
    return { destinations: [], reason: message, refused: (await explanation()).hosts }
  },
})

export const bundleOperations: Operation[] = [create, list, show, remove, destinations]
