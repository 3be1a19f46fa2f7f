/** Trusts: made by the trustor, used by the trustee, ended by either's end. They are never changed. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Forbidden, NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { linksAnswer, listOf, oneOf, roleAnswer, texts } from '../answers.ts'
import { identityConfig } from '../config.ts'
import { parseExpiry } from '../expiry.ts'
import { conflict, forbiddenAction, notFound } from '../faults.ts'
import { collectionOf, first } from '../listing.ts'
import { adminOrSystemReader, adminRequired, identityRule, systemOrProject } from '../policy.ts'
import { identityChanged } from '../revocations/revocation.ts'
import { roleView } from '../roles/role.ts'
import { roles } from '../roles/store.ts'
import { users } from '../users/store.ts'
import { type TrustRow, trusts } from './store.ts'
import {
  chainOf,
  checkRedelegation,
  findTrust,
  removeTrust,
  roleLinks,
  rolesOf,
  rolesOfTrustor,
  trustView,
} from './trust.ts'

const answer = Type.Object({
  ...texts('id', 'trustor_user_id', 'trustee_user_id', 'project_id', 'expires_at'),
  impersonation: Type.Boolean(),
  links: Type.Optional(linksAnswer),
})

const trustor = 'user_id:%(target.trust.trustor_user_id)s'
const trustee = 'user_id:%(target.trust.trustee_user_id)s'
const party = `${adminOrSystemReader} or ${trustor} or ${trustee}`
const listForTrustor = identityRule('list_trusts_for_trustor', `${adminOrSystemReader} or ${trustor}`, systemOrProject)
const listForTrustee = identityRule('list_trusts_for_trustee', `${adminOrSystemReader} or ${trustee}`, systemOrProject)
const listAll = identityRule('list_trusts', adminOrSystemReader, systemOrProject)

const create = identityRule('create_trust', trustor, ['project'])

export const trustRules = [listAll, listForTrustor, listForTrustee]

const nullable = <
  T extends ReturnType<typeof Type.String> | ReturnType<typeof Type.Integer> | ReturnType<typeof Type.Boolean>,
>(
  schema: T,
) => Type.Optional(Type.Union([schema, Type.Null()]))

const asked = Type.Object({
  trustor_user_id: Type.String({ maxLength: 255 }),
  trustee_user_id: Type.String({ maxLength: 255 }),
  impersonation: Type.Boolean(),
  project_id: nullable(Type.String({ maxLength: 64 })),
  remaining_uses: nullable(Type.Integer({ minimum: 1, maximum: 2_147_483_647 })),
  expires_at: nullable(Type.String({ maxLength: 64 })),
  allow_redelegation: nullable(Type.Boolean()),
  redelegation_count: nullable(Type.Integer({ minimum: 0, maximum: 1000 })),
  redelegated_trust_id: nullable(Type.String({ maxLength: 64 })),
  roles: Type.Optional(
    Type.Array(
      Type.Object(
        { id: Type.Optional(Type.String({ maxLength: 64 })), name: Type.Optional(Type.String({ maxLength: 255 })) },
        { minProperties: 1, maxProperties: 1, additionalProperties: false },
      ),
      { maxItems: 100 },
    ),
  ),
})
type Asked = Static<typeof asked>
const request = Type.Object({ trust: asked }, { additionalProperties: false })

/** Application credentials are for one project and must not reach into chains of trust, whatever else they may do. */
function checkNoCredential(ctx: Ctx): void {
  if (ctx.identity.methods.includes('application_credential')) {
    throw forbiddenAction("Using method 'application_credential' is not allowed for managing trusts.")
  }
}

async function roleIds(ctx: Ctx, named: NonNullable<Asked['roles']>): Promise<string[]> {
  const ids: string[] = []
  for (const { id, name } of named) {
    if (id !== undefined) ids.push(id)
    else {
      const role = await roles.find(ctx.db, { name: name!, domain_id: null })
      if (!role) throw new NotFound(`Role ${name} is not defined`)
      ids.push(role.id)
    }
  }
  return [...new Set(ids)]
}

/** How often the new trust may be passed on; undefined when it was not said and is to be had from elsewhere. */
function countAsked(ctx: Ctx, { allow_redelegation, redelegation_count, remaining_uses }: Asked): number | undefined {
  if (!allow_redelegation || redelegation_count === 0) return 0
  const most = ctx.config.of(identityConfig).max_redelegation_count
  if (redelegation_count && redelegation_count > most) {
    throw new Forbidden(`Requested redelegation depth of ${redelegation_count} is greater than allowed ${most}`)
  }
  if (remaining_uses !== null && remaining_uses !== undefined) {
    throw new BadRequest('remaining_uses must not be set if redelegation is allowed')
  }
  return redelegation_count ?? undefined
}

/** The chain that the caller's token comes from, when it passes a trust on. */
async function chainOfCaller(ctx: Ctx): Promise<TrustRow[]> {
  const { trust_id, access_token_id } = ctx.identity
  if (access_token_id !== undefined) throw forbiddenAction('Redelegation allowed for delegated by trust only')
  if (trust_id === undefined) return []
  const chain = await chainOf(ctx, trust_id)
  if (!chain) throw notFound('trust', trust_id)
  return chain
}

async function newTrust(ctx: Ctx, sent: Asked): Promise<TrustRow> {
  const { trustor_user_id, trustee_user_id, impersonation, ...rest } = sent
  const { project_id, remaining_uses, expires_at, allow_redelegation, redelegation_count, roles: named, ...more } = rest
  const { redelegated_trust_id: _, id: _id, links: _links, ...extra } = more as Record<string, unknown>
  const chain = await chainOfCaller(ctx)
  const [parent] = chain
  const trust: TrustRow = {
    id: ctx.ids.hex(),
    trustor_user_id,
    trustee_user_id,
    project_id: project_id || null,
    impersonation,
    expires_at: parseExpiry(ctx, expires_at) ?? parent?.expires_at ?? null,
    remaining_uses: remaining_uses ?? null,
    redelegated_trust_id: parent?.id ?? null,
    redelegation_count: 0,
    role_ids: await roleIds(ctx, named ?? []),
    extra,
  }
  const held = await rolesOfTrustor(ctx, [trust, ...chain])
  const missing = trust.role_ids.find(id => !held.has(id))
  if (missing !== undefined) throw notFound('role', missing)
  const count = countAsked(ctx, sent)
  const left = parent ? parent.redelegation_count - 1 : ctx.config.of(identityConfig).max_redelegation_count
  if (parent && count && count !== left) {
    throw new Forbidden(
      'Modifying "redelegation_count" upon redelegation is forbidden. Omitting this parameter is advised.',
    )
  }
  trust.redelegation_count = count ?? left
  for (const one of chain) checkRedelegation(ctx, one, trust)
  return trust
}

export const createTrust = operation({
  id: 'identity.trusts.create',
  method: 'POST',
  path: '/v3/OS-TRUST/trusts',
  summary: 'Create a trust',
  response: oneOf('trust', answer),
  policy: create,
  request,
  status: 201,
  load: async ctx => ({ 'target.trust.trustor_user_id': ctx.identity.user_id }),
  async handle(ctx, { body: { trust: sent } }) {
    ctx.enforce(create, { 'target.trust.trustor_user_id': sent.trustor_user_id })
    checkNoCredential(ctx)
    if (sent.project_id && !sent.roles?.length) throw forbiddenAction('At least one role should be specified')
    if (sent.trustor_user_id !== ctx.identity.user_id) {
      throw forbiddenAction('The authenticated user should match the trustor')
    }
    if (!(await users.find(ctx.db, { id: sent.trustee_user_id }))) throw notFound('user', sent.trustee_user_id)
    try {
      return await ctx.transaction(async tx => {
        // First, so that no role or trust that it rests on is taken away meanwhile.
        await identityChanged(tx)
        const row = await newTrust(tx, sent)
        await trusts.insert(tx.db, row)
        return { trust: { ...trustView(tx, row), roles: await rolesOf(tx, row), roles_links: roleLinks(tx, row) } }
      })
    } catch (error) {
      if (error instanceof UniqueViolation) throw conflict('trust', 'Duplicate entry')
      throw error
    }
  },
})

export const listTrusts = operation({
  id: 'identity.trusts.list',
  method: 'GET',
  path: '/v3/OS-TRUST/trusts',
  summary: 'List trusts',
  response: listOf('trusts', answer),
  policy: 'authenticated',
  query: Type.Object({ trustor_user_id: Type.Optional(Type.String()), trustee_user_id: Type.Optional(Type.String()) }),
  async handle(ctx, { query, url }) {
    const [trustor_user_id, trustee_user_id] = [first(query.trustor_user_id), first(query.trustee_user_id)]
    if (trustor_user_id) ctx.enforce(listForTrustor, { 'target.trust.trustor_user_id': trustor_user_id })
    else if (trustee_user_id) ctx.enforce(listForTrustee, { 'target.trust.trustee_user_id': trustee_user_id })
    else ctx.enforce(listAll, {})
    checkNoCredential(ctx)
    const where = trustor_user_id ? { trustor_user_id } : trustee_user_id ? { trustee_user_id } : {}
    const found = await trusts.list(ctx.db, where, { orderBy: [{ column: 'id', direction: 'asc' }] })
    return { trusts: found.map(row => trustView(ctx, row)), links: collectionOf(ctx, url) }
  },
})

const getTrust = identityRule('get_trust', party, systemOrProject)

/** Unlike elsewhere, what is missing is a 404 before it is a 403; so to others than its parties a trust is missing. */
async function load(ctx: Ctx, { params }: { params: { trust_id: string } }) {
  const row = await findTrust(ctx, params.trust_id)
  const target = {
    'target.trust.trustor_user_id': row.trustor_user_id,
    'target.trust.trustee_user_id': row.trustee_user_id,
    row,
  }
  try {
    ctx.enforce(getTrust, target)
  } catch (error) {
    throw error instanceof Forbidden ? notFound('trust', params.trust_id) : error
  }
  return target
}

export const showTrust = operation({
  id: 'identity.trusts.show',
  method: 'GET',
  path: '/v3/OS-TRUST/trusts/{trust_id}',
  summary: 'Show a trust',
  response: oneOf('trust', answer),
  policy: getTrust,
  load,
  async handle(ctx, { target: { row } }) {
    checkNoCredential(ctx)
    return { trust: { ...trustView(ctx, row), roles: await rolesOf(ctx, row), roles_links: roleLinks(ctx, row) } }
  },
})

export const deleteTrust = operation({
  id: 'identity.trusts.delete',
  method: 'DELETE',
  path: '/v3/OS-TRUST/trusts/{trust_id}',
  summary: 'End a trust, and those that it was passed on as',
  policy: identityRule('delete_trust', `${adminRequired} or ${trustor}`, systemOrProject),
  load,
  async handle(ctx, { target: { row } }) {
    checkNoCredential(ctx)
    await ctx.transaction(async tx => {
      await identityChanged(tx)
      await removeTrust(tx, row.id)
    })
    return undefined
  },
})

export const listTrustRoles = operation({
  id: 'identity.trusts.list_roles',
  method: 'GET',
  path: '/v3/OS-TRUST/trusts/{trust_id}/roles',
  summary: 'List the roles of a trust',
  response: listOf('roles', roleAnswer),
  policy: identityRule('list_roles_for_trust', party, systemOrProject),
  load,
  async handle(ctx, { target: { row } }) {
    checkNoCredential(ctx)
    return { roles: await rolesOf(ctx, row), links: roleLinks(ctx, row) }
  },
})

export const showTrustRole = operation({
  id: 'identity.trusts.show_role',
  method: 'GET',
  path: '/v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}',
  summary: 'Show a role of a trust',
  response: oneOf('role', roleAnswer),
  policy: identityRule('get_role_for_trust', party, systemOrProject),
  load,
  async handle(ctx, { target: { row }, params }) {
    checkNoCredential(ctx)
    const role = row.role_ids.includes(params.role_id) && (await roles.find(ctx.db, { id: params.role_id }))
    if (!role) throw notFound('role', params.role_id)
    return { role: roleView(ctx, role) }
  },
})

export const trustOperations = [createTrust, listTrusts, showTrust, deleteTrust, listTrustRoles, showTrustRole]
