/** What a guest may know of itself: read from the database, plain data for the documents made of it. */
import type { Ctx } from '#kernel/context.ts'
import type { ServerPort } from '../../network/contract.ts'
import { computeConfig } from '../config.ts'
import type { ServerRow } from '../servers/server.ts'
import { guestDataOf } from '../servers/store.ts'
import { askTargets, readVendorFile } from './vendor-data.ts'

export interface GuestFacts {
  server: ServerRow
  hostname: string
  zone: string
  ports: ServerPort[]
  /** `network_data.json`. */
  network: Record<string, unknown>
  user_data: Buffer | null
  key: { name: string; type: string; data: string } | null
  admin_password: string | null
  /** What the guest reported, encrypted for its owner. */
  encrypted_password: string | null
  files: { path: string; contents: Buffer }[]
  random_seed: string
  /** What the operator tells: in his file, and by the web services that are asked. Got once, when a document needs it. */
  vendor: { file(): Promise<Record<string, unknown>>; targets(): Promise<Record<string, unknown>> }
}

const seedBytes = 512

export async function factsOf(ctx: Ctx, server: ServerRow): Promise<GuestFacts> {
  const { dhcp_domain, default_availability_zone } = ctx.config.of(computeConfig)
  const data = await guestDataOf(ctx, server.id)
  const facts: GuestFacts = {
    server,
    hostname: dhcp_domain ? `${server.hostname}.${dhcp_domain}` : server.hostname,
    zone: server.availability_zone ?? default_availability_zone,
    ports: (await ctx.services.network.portsOf(ctx, [server.id])).get(server.id) ?? [],
    network: await ctx.services.network.networkData(ctx, server.id),
    user_data: data?.user_data == null ? null : Buffer.from(data.user_data, 'base64'),
    key:
      server.key_name !== null && data?.public_key
        ? { name: server.key_name, type: data.key_type ?? 'ssh', data: data.public_key }
        : null,
    admin_password: data?.admin_password ? await ctx.services.identity.unsealed(ctx, data.admin_password) : null,
    encrypted_password: data?.encrypted_password ?? null,
    files: (data?.personality ?? []).map(({ path, contents }) => ({ path, contents: Buffer.from(contents, 'base64') })),
    random_seed: ctx.ids.bytes(seedBytes).toString('base64'),
    vendor: { file: once(() => readVendorFile(ctx)), targets: once(() => askTargets(ctx, facts)) },
  }
  return facts
}

/** Does it when first asked, and again when it failed. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined
  return () => {
    done ??= work().catch(error => {
      done = undefined
      throw error
    })
    return done
  }
}
