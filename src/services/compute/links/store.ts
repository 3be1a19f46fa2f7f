/** Bundles of servers in the database: what was promised of the links between them, and on which hosts the ends of links are. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

/** Servers that were asked for as one, with links between them. */
export interface BundleRow {
  id: string
  name: string
  project_id: string
  user_id: string
  reservation_id: string
  /** Those that are left of it, by the names that its links call them. */
  servers: { id: string; name: string }[]
  created_at: string
}

export interface LinkRow {
  /** Placement's consumer of its bandwidth as well. */
  id: string
  bundle_id: string
  server_a: string
  server_b: string
  max_hops: number | null
  /** Mbit/s; 0 for none. */
  bandwidth: number
}

/** A host where a server at one end of a link has its room. */
export interface LinkEndRow {
  link_id: string
  server_id: string
  /** Who has the room: the server, or a move of it. */
  consumer: string
  host: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_bundles: BundleRow
    compute_links: LinkRow
    compute_link_ends: LinkEndRow
  }
}

export const bundles = rows<BundleRow>('compute_bundles', { json: ['servers'] })
export const links = rows<LinkRow>('compute_links')
export const linkEnds = rows<LinkEndRow>('compute_link_ends')

export const linksOfServer = async (ctx: Ctx, bundle_id: string, server: string): Promise<LinkRow[]> =>
  (await links.list(ctx.db, { bundle_id })).filter(link => link.server_a === server || link.server_b === server)

/**
 * Who changes the room of several hosts does so alone: others would wait for it in a circle, and would not see where the other ends of their
 * links go, or that the links are gone. To be asked for before anything of a host is held.
 */
export const holdHosts = (ctx: Ctx): Promise<void> => lock(ctx.db, ctx.database.engine, 'compute.placing several')

async function removeLinks(ctx: Ctx, gone: readonly LinkRow[]): Promise<void> {
  if (gone.length === 0) return
  const ids = gone.map(({ id }) => id)
  await ctx.services.placement.releaseMany(ctx, ids)
  await linkEnds.remove(ctx.db, { link_id: ids })
  await links.remove(ctx.db, { id: ids })
}

/** Its servers stay, and are held to nothing any more. In a transaction. */
export async function removeBundle(ctx: Ctx, id: string): Promise<void> {
  await holdHosts(ctx)
  await removeLinks(ctx, await links.list(ctx.db, { bundle_id: id }))
  await bundles.remove(ctx.db, { id })
}

/** Takes a server that goes out of its bundle, which goes with the last of them. */
export async function leaveBundle(
  ctx: Ctx,
  { id, reservation_id }: { id: string; reservation_id: string },
): Promise<void> {
  const found = await bundles.pick(ctx.db, ['id'], { reservation_id })
  if (!found[0]) return
  const bundle_id = found[0].id
  await holdHosts(ctx)
  const bundle = await bundles.find(ctx.db, { id: bundle_id })
  if (!bundle) return
  await removeLinks(ctx, await linksOfServer(ctx, bundle_id, id))
  const servers = bundle.servers.filter(server => server.id !== id)
  if (servers.length === 0) await bundles.remove(ctx.db, { id: bundle_id })
  else await bundles.update(ctx.db, { id: bundle_id }, { servers })
}
