/** What identity offers the other services. */
import type { Ctx, Env, Identity } from '#kernel/context.ts'
import { type Account, bootstrap, ensureAccount, type FirstContents } from './bootstrap.ts'
import { offered, strangerTo } from './catalog/catalog.ts'
import { encrypted, unsealed } from './credentials/credential.ts'
import { rotateTokenKeys } from './keys/key.ts'
import {
  type Limits,
  type LimitsQuestion,
  limitRoom,
  limitsFor,
  type OverLimit,
  overLimits,
  overLimitWords,
  type Wanted,
} from './limits/limit.ts'
import { projects } from './projects/store.ts'
import { authenticate } from './tokens/validate.ts'
import { users } from './users/store.ts'

export interface KnownProject {
  id: string
  name: string
  domain_id: string
  enabled: boolean
}

export const identityContract = {
  /** Who a token belongs to; undefined when it is not valid. */
  authenticate: (env: Env, token: string): Promise<Identity | undefined> => authenticate(env, token),

  /** Makes the first contents of the cloud. Running it again adds what is missing and changes no password. */
  bootstrap: (ctx: Ctx, contents: FirstContents): Promise<void> => bootstrap(ctx, contents),

  /** A project of the domain Default with a user who has a role there; what is there already stays as it is. */
  ensureAccount: (ctx: Ctx, account: Account): Promise<{ project_id: string; user_id: string }> =>
    ensureAccount(ctx, account),

  /** A project by id; undefined when there is none. */
  async project(ctx: Ctx, id: string): Promise<KnownProject | undefined> {
    const row = await projects.find(ctx.db, { id })
    return row && { id: row.id, name: row.name, domain_id: row.domain_id ?? row.id, enabled: row.enabled }
  },

  /** The name of a project by id; undefined when there is none. */
  async projectName(ctx: Ctx, id: string): Promise<string | undefined> {
    return (await projects.find(ctx.db, { id }))?.name
  },

  /** Where a kind of service is in a region, and whether it is this cloud's own; undefined when the catalog does not know. */
  async endpoint(
    ctx: Ctx,
    { type, region, interface: face }: { type: string; region: string; interface: string },
  ): Promise<{ url: string; ours: boolean } | undefined> {
    const offers = (await offered(ctx)).filter(({ service }) => service.type === type)
    const endpoint = offers
      .flatMap(offer => offer.endpoints)
      .find(one => one.region_id === region && one.interface === face)
    return endpoint && { url: endpoint.url.replace('%(base)s', ctx.base), ours: endpoint.url.startsWith('%(base)s') }
  },

  /** Why this cloud's service of one of the types does not go with its own of another type: the catalog names another partner of it. */
  strangerTo: (ctx: Ctx, question: { types: readonly string[]; to: string }): Promise<string | undefined> =>
    strangerTo(ctx, question),

  /** What a project may have of a service's resource by unified limits: undefined when none is registered, -1 without limit. */
  async limit(ctx: Ctx, question: LimitsQuestion & { resource_name: string }): Promise<number | undefined> {
    return (await limitsFor(ctx, question)).own[question.resource_name]
  },

  /** The same for all resources of a service at once. */
  limits: (ctx: Ctx, question: LimitsQuestion): Promise<Limits> => limitsFor(ctx, question),

  /**
   * Which unified limits a project would exceed, by the cloud's model of hierarchies; the service counts, and says no in its own words.
   * In a transaction, others who ask of the same wait for its end: what fits once fits.
   */
  overLimits: (ctx: Ctx, wanted: Wanted): Promise<OverLimit[]> => overLimits(ctx, wanted),

  /** What upstream's services say then. */
  overLimitWords: (projectId: string, over: readonly OverLimit[]): string => overLimitWords(projectId, over),

  /** How much more of one resource a project may have; infinite without limit. Others wait as with `overLimits`. */
  limitRoom: (ctx: Ctx, asked: Parameters<typeof limitRoom>[1]): Promise<number> => limitRoom(ctx, asked),

  /** A secret as it may be kept in the database: encrypted like credentials. */
  sealed: (ctx: Ctx, secret: string): Promise<string> => encrypted(ctx, secret),

  /** What `sealed` made, as it was. */
  unsealed: (ctx: Ctx, text: string): Promise<string> => unsealed(ctx, text),

  /** New keys for tokens; with `forget` the tokens of former ones end. Returns how many former keys still open tokens. */
  rotateKeys: (ctx: Ctx, options: { forget: boolean }): Promise<number> => rotateTokenKeys(ctx, options),

  /** The name of a user by id; undefined when there is none. */
  async userName(ctx: Ctx, id: string): Promise<string | undefined> {
    return (await users.find(ctx.db, { id }))?.name
  },
}

declare module '#kernel/context.ts' {
  interface Contracts {
    identity: typeof identityContract
  }
}
