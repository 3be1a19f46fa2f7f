/** Protocols of identity providers, each with the mapping of what is said in it. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { linksAnswer, listOf, oneOf, texts } from '../answers.ts'
import { conflict, notFound } from '../faults.ts'
import { removeWay } from '../federation/federation.ts'
import { collectionOf, equals, linkTo } from '../listing.ts'
import { mappings } from '../mappings/store.ts'
import { adminOrSystemReader, adminRequired, identityRule, systemOrProject } from '../policy.ts'
import { identityChanged } from '../revocations/revocation.ts'
import { identityProviderResource } from './operations.ts'
import { type ProtocolRow, protocols } from './store.ts'

const answer = Type.Object({ ...texts('id', 'mapping_id'), links: Type.Optional(linksAnswer) })

const collection = '/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols'
const path = `${collection}/{protocol_id}` as const
const rule = (name: string, check: string) => identityRule(name, check, systemOrProject)

interface Place {
  idp_id: string
  protocol_id: string
}

function view(ctx: Ctx, { idp_id, id, mapping_id, remote_id_attribute }: ProtocolRow) {
  const provider = linkTo(ctx, `OS-FEDERATION/identity_providers/${idp_id}`).self
  return {
    id,
    mapping_id,
    ...(remote_id_attribute !== null && { remote_id_attribute }),
    links: { self: `${provider}/protocols/${id}`, identity_provider: provider },
  }
}

async function find(ctx: Ctx, { idp_id, protocol_id: id }: Place): Promise<ProtocolRow> {
  const row = await protocols.find(ctx.db, { idp_id, id })
  if (!row) throw notFound('federated protocol', `${id} for Identity Provider: ${idp_id}`)
  return row
}

async function checkMapping(ctx: Ctx, id: string | undefined): Promise<void> {
  if (id === undefined || (await mappings.find(ctx.db, { id }))) return
  throw new BadRequest(`Invalid mapping id: ${id}`)
}

const mappingId = Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9_-]+$' })
const remoteIdAttribute = Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()]))

const create = operation({
  id: 'identity.protocols.create',
  method: 'PUT',
  path,
  summary: 'Add a protocol to an identity provider',
  response: oneOf('protocol', answer),
  policy: rule('create_protocol', adminRequired),
  request: Type.Object(
    {
      protocol: Type.Object(
        { mapping_id: mappingId, remote_id_attribute: remoteIdAttribute },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  status: 201,
  async handle(ctx, { params: { idp_id, protocol_id: id }, body: { protocol } }) {
    try {
      return await ctx.transaction(async tx => {
        await identityProviderResource.find(tx, idp_id)
        await checkMapping(tx, protocol.mapping_id)
        const row = {
          idp_id,
          id,
          mapping_id: protocol.mapping_id,
          remote_id_attribute: protocol.remote_id_attribute ?? null,
        }
        await protocols.insert(tx.db, row)
        await identityChanged(tx)
        return { protocol: view(tx, row) }
      })
    } catch (error) {
      if (error instanceof UniqueViolation) throw conflict('federation_protocol', `Duplicate entry found with ID ${id}`)
      throw error
    }
  },
})

const update = operation({
  id: 'identity.protocols.update',
  method: 'PATCH',
  path,
  summary: 'Change a protocol of an identity provider',
  response: oneOf('protocol', answer),
  policy: rule('update_protocol', adminRequired),
  request: Type.Object(
    {
      protocol: Type.Object(
        { mapping_id: Type.Optional(mappingId), remote_id_attribute: remoteIdAttribute },
        { additionalProperties: false, minProperties: 1 },
      ),
    },
    { additionalProperties: false },
  ),
  async handle(ctx, { params, body: { protocol: patch } }) {
    return ctx.transaction(async tx => {
      const { idp_id, id, ...row } = await find(tx, params)
      await checkMapping(tx, patch.mapping_id)
      const changed = { ...row, ...patch } as typeof row
      await protocols.update(tx.db, { idp_id, id }, changed)
      await identityChanged(tx)
      return { protocol: view(tx, { idp_id, id, ...changed }) }
    })
  },
})

const show = operation({
  id: 'identity.protocols.show',
  method: 'GET',
  path,
  summary: 'Show a protocol of an identity provider',
  response: oneOf('protocol', answer),
  policy: rule('get_protocol', adminOrSystemReader),
  handle: async (ctx, { params }) => ({ protocol: view(ctx, await find(ctx, params)) }),
})

const list = operation({
  id: 'identity.protocols.list',
  method: 'GET',
  path: collection,
  summary: 'List the protocols of an identity provider',
  response: listOf('protocols', answer),
  policy: rule('list_protocols', adminOrSystemReader),
  async handle(ctx, { params: { idp_id }, query, url }) {
    await identityProviderResource.find(ctx, idp_id)
    const where = { idp_id, ...equals(query, ['id']) }
    const found = await protocols.list(ctx.db, where, { orderBy: [{ column: 'id', direction: 'asc' }] })
    return { protocols: found.map(row => view(ctx, row)), links: collectionOf(ctx, url) }
  },
})

const remove = operation({
  id: 'identity.protocols.delete',
  method: 'DELETE',
  path,
  summary: 'Remove a protocol of an identity provider',
  policy: rule('delete_protocol', adminRequired),
  async handle(ctx, { params }) {
    await ctx.transaction(async tx => {
      const { idp_id, id } = await find(tx, params)
      await protocols.remove(tx.db, { idp_id, id })
      await removeWay(tx, { idp_id, protocol_id: id })
    })
    return undefined
  },
})

export const protocolOperations = [create, update, show, list, remove]
