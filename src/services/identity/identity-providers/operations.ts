/** Identity providers: the five operations. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest } from '#kernel/errors.ts'
import { Type } from '#kernel/schema/builders.ts'
import { conflict } from '../faults.ts'
import { closeWay, removeWay } from '../federation/federation.ts'
import { linkTo } from '../listing.ts'
import { ofOperators } from '../policy.ts'
import { blankProject, findDomain } from '../projects/project.ts'
import { projects } from '../projects/store.ts'
import { resource } from '../resource.ts'
import { type IdentityProviderRow, identityProviders, protocols, remoteIds } from './store.ts'

async function remoteIdsOf(ctx: Ctx, idp_id: string): Promise<string[]> {
  const found = await remoteIds.list(ctx.db, { idp_id }, { orderBy: [{ column: 'position', direction: 'asc' }] })
  return found.map(one => one.remote_id)
}

/** The names that it calls itself by: of one identity provider each. */
async function putRemoteIds(ctx: Ctx, idp_id: string, names: unknown): Promise<void> {
  await remoteIds.remove(ctx.db, { idp_id })
  if (!Array.isArray(names)) return
  for (const [position, remote_id] of (names as string[]).entries()) {
    if (await remoteIds.find(ctx.db, { remote_id })) {
      throw conflict('identity_provider', `Duplicate remote ID: ${remote_id}`)
    }
    try {
      await remoteIds.insert(ctx.db, { remote_id, idp_id, position })
    } catch (error) {
      if (error instanceof UniqueViolation) throw conflict('identity_provider', `Duplicate remote ID: ${remote_id}`)
      throw error
    }
  }
}

/** The domain that was named, or a new one of its own. */
async function domainFor(ctx: Ctx, idpId: string, named: unknown): Promise<string> {
  if (typeof named === 'string') return (await findDomain(ctx, named)).id
  const id = ctx.ids.hex()
  await projects.insert(ctx.db, {
    ...blankProject,
    id,
    name: id,
    description: `Auto generated federated domain for Identity Provider: ${idpId}`,
    domain_id: null,
    parent_id: null,
    is_domain: true,
    extra: {},
  })
  return id
}

export const identityProviderResource = resource<IdentityProviderRow>({
  member: 'identity_provider',
  collection: 'identity_providers',
  extension: 'OS-FEDERATION',
  store: identityProviders,
  chosenId: 'in path',
  strict: true,
  attributes: {
    enabled: Type.Boolean(),
    description: Type.Union([Type.String({ maxLength: 65_535 }), Type.Null()]),
    domain_id: Type.Union([Type.String({ maxLength: 64 }), Type.Null()]),
    authorization_ttl: Type.Union([Type.Integer({ minimum: 0, maximum: 2_147_483_647 }), Type.Null()]),
    remote_ids: Type.Union([
      Type.Array(Type.String({ maxLength: 255 }), { uniqueItems: true, maxItems: 1000 }),
      Type.Null(),
    ]),
  },
  required: [],
  filters: ['id'],
  ownDomain: false,
  policy: ofOperators,
  async view(ctx, { extra: _, ...row }) {
    const own = linkTo(ctx, `OS-FEDERATION/identity_providers/${row.id}`)
    const links = { ...own, protocols: `${own.self}/protocols` }
    return { ...row, remote_ids: await remoteIdsOf(ctx, row.id), links }
  },
  duplicate: values => `Duplicate entry found with ID ${values.id}`,
  async create(ctx, values) {
    const id = String(values.id)
    const { remote_ids, domain_id, ...sent } = values
    if (await identityProviders.find(ctx.db, { id })) {
      throw conflict('identity_provider', `Duplicate entry found with ID ${id}`)
    }
    const row: IdentityProviderRow = {
      enabled: false,
      description: null,
      authorization_ttl: null,
      ...(sent as Partial<IdentityProviderRow>),
      id,
      domain_id: await domainFor(ctx, id, domain_id),
      extra: {},
    }
    await identityProviders.insert(ctx.db, row)
    await putRemoteIds(ctx, id, remote_ids)
    return row
  },
  async update(ctx, row, { remote_ids, domain_id, ...patch }) {
    if (domain_id !== undefined && domain_id !== row.domain_id) {
      throw new BadRequest(
        "Invalid input for field 'domain_id': the domain of an identity provider stays as it was made.",
      )
    }
    if (remote_ids !== undefined) await putRemoteIds(ctx, row.id, remote_ids)
    if (patch.enabled === false && row.enabled) await closeWay(ctx, { idp_id: row.id })
    return patch as Partial<IdentityProviderRow>
  },
  async remove(ctx, { id }) {
    await removeWay(ctx, { idp_id: id })
    await remoteIds.remove(ctx.db, { idp_id: id })
    await protocols.remove(ctx.db, { idp_id: id })
  },
})
