/** Application credentials: a secret with which a program logs in as a user, for one project, with some of the user's roles. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Forbidden } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { linksAnswer, listOf, named, oneOf, texts } from '../answers.ts'
import { identityConfig } from '../config.ts'
import { microsOf, parseExpiry } from '../expiry.ts'
import { conflict, forbiddenAction, notFound } from '../faults.ts'
import { collectionOf, equals, linkTo } from '../listing.ts'
import { adminRequired, identityRule, owner, systemOrProject, systemReader } from '../policy.ts'
import { announce, identityChanged } from '../revocations/revocation.ts'
import { withImplied } from '../roles/role.ts'
import { type RoleRow, roles } from '../roles/store.ts'
import { newPasswordHash } from '../users/user.ts'
import { type AccessRule, type ApplicationCredentialRow, accessRules, applicationCredentials } from './store.ts'

const answer = Type.Object({
  ...texts('id', 'name', 'description', 'user_id', 'project_id', 'expires_at'),
  unrestricted: Type.Boolean(),
  roles: Type.Array(named),
  links: Type.Optional(linksAnswer),
})

const readerOrOwner = `${adminRequired} or ${systemReader} or ${owner}`
const path = '/v3/users/{user_id}/application_credentials'

async function views(ctx: Ctx, rows: ApplicationCredentialRow[]) {
  const ids = [...new Set(rows.flatMap(row => row.role_ids))]
  const found = await roles.list(ctx.db, { id: ids }, { orderBy: [{ column: 'name', direction: 'asc' }] })
  return rows.map(row => viewOf(ctx, row, found))
}

const view = async (ctx: Ctx, row: ApplicationCredentialRow) => (await views(ctx, [row]))[0]!

function viewOf(ctx: Ctx, row: ApplicationCredentialRow, found: RoleRow[]) {
  const held = found.filter(role => row.role_ids.includes(role.id))
  const { id, name, description, user_id, project_id, unrestricted, expires_at, expires_micros } = row
  return {
    id,
    name,
    description,
    user_id,
    project_id,
    system: null,
    unrestricted,
    expires_at:
      expires_at === null
        ? null
        : `${new Date(expires_at).toISOString().slice(0, 23)}${String(expires_micros).padStart(3, '0')}`,
    roles: held.map(role => ({
      id: role.id,
      name: role.name,
      domain_id: role.domain_id,
      description: role.description,
      options: role.options,
    })),
    ...(row.access_rules && { access_rules: row.access_rules }),
    links: linkTo(ctx, `users/${user_id}/application_credentials/${id}`),
  }
}

/** A credential that was itself given to a program must not make or end others, unless its owner allowed it. */
function checkMayManage(ctx: Ctx): void {
  const { application_credential_id, application_credential_unrestricted, trust_id, access_token_id } = ctx.identity
  if (trust_id !== undefined || access_token_id !== undefined) {
    throw new Forbidden('Cannot manage application credentials with a token issued via delegation.')
  }
  if (application_credential_id === undefined || application_credential_unrestricted === true) return
  throw forbiddenAction(
    "Using method 'application_credential' is not allowed for managing additional application credentials.",
  )
}

function invalid(detail: string): BadRequest {
  return new BadRequest(`Invalid application credential: ${detail}`)
}

/** The roles asked for, by id or name, with what they imply; all of them must be the caller's now. */
async function chosenRoles(ctx: Ctx, asked: readonly { id?: string; name?: string }[] | undefined): Promise<string[]> {
  if (!asked || asked.length === 0) return ctx.identity.role_ids
  const found: RoleRow[] = []
  for (const { id, name } of asked) {
    const role = await roles.find(ctx.db, id === undefined ? { name: name ?? '', domain_id: null } : { id })
    if (!role) throw notFound('role', id ?? name ?? '')
    found.push(role)
  }
  const all = [
    ...(
      await withImplied(
        ctx,
        found.map(role => role.id),
      )
    ).keys(),
  ]
  if (!all.every(id => ctx.identity.role_ids.includes(id))) {
    throw invalid('Cannot create an application credential with unassigned role')
  }
  return all
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const accessRule = Type.Object({
  id: Type.Optional(Type.String({ maxLength: 64 })),
  path: Type.Optional(Type.String({ maxLength: 225, pattern: '^/' })),
  method: Type.Optional(Type.Union(methods.map(method => Type.Literal(method)))),
  service: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
})

/** Rules are the user's own: known ones are named by id or found again, new ones are kept. */
async function keptRules(ctx: Ctx, userId: string, asked: readonly Partial<AccessRule>[]): Promise<AccessRule[]> {
  const kept: AccessRule[] = []
  for (const { id, service, method, path } of asked) {
    if (id !== undefined && service === undefined) {
      const known = await accessRules.find(ctx.db, { id, user_id: userId })
      if (!known) throw notFound('Access Rule', id)
      kept.push({ id, service: known.service, method: known.method, path: known.path })
      continue
    }
    if (service === undefined || method === undefined || path === undefined) {
      throw invalid('an access rule has a service, a method and a path, or the id of a known one')
    }
    const known = await accessRules.find(ctx.db, { user_id: userId, service, method, path })
    const rule = { id: known?.id ?? ctx.ids.hex(), service, method, path }
    if (!known) await accessRules.insert(ctx.db, { ...rule, user_id: userId })
    kept.push(rule)
  }
  return kept
}

const create = operation({
  id: 'identity.application_credentials.create',
  method: 'POST',
  path,
  summary: 'Create an application credential',
  response: oneOf('application_credential', Type.Object({ ...answer.properties, secret: Type.String() })),
  policy: identityRule('create_application_credential', owner, ['project']),
  status: 201,
  request: Type.Object({
    application_credential: Type.Object({
      name: Type.String({ minLength: 1, maxLength: 255 }),
      description: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      secret: Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Null()])),
      expires_at: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      roles: Type.Optional(
        Type.Array(Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) }), {
          maxItems: 100,
        }),
      ),
      unrestricted: Type.Optional(Type.Boolean()),
      access_rules: Type.Optional(Type.Array(accessRule, { maxItems: 200 })),
    }),
  }),
  load: async (_ctx, { params }) => ({ user_id: params.user_id }),
  async handle(ctx, { params, body }) {
    checkMayManage(ctx)
    const { user_id } = params
    const asked = body.application_credential
    const { project_id } = ctx.identity
    if (project_id === undefined) throw forbiddenAction('identity:create_application_credential')
    const role_ids = await chosenRoles(ctx, asked.roles)
    const expires_at = parseExpiry(ctx, asked.expires_at)
    const secret = asked.secret ?? ctx.ids.bytes(64).toString('base64url')
    const secret_hash = await newPasswordHash(ctx, secret)
    const limit = ctx.config.of(identityConfig).max_application_credentials
    const row = await ctx.transaction(async tx => {
      if (limit > 0 && (await applicationCredentials.count(tx.db, { user_id })) >= limit) {
        throw new Forbidden(
          `Unable to create additional application credentials, maximum of ${limit} already exceeded for user.`,
        )
      }
      const made: ApplicationCredentialRow = {
        id: tx.ids.hex(),
        name: asked.name,
        description: asked.description ?? null,
        user_id,
        project_id,
        secret_hash,
        role_ids,
        access_rules: asked.access_rules ? await keptRules(tx, user_id, asked.access_rules) : null,
        unrestricted: asked.unrestricted ?? false,
        expires_at,
        expires_micros: microsOf(asked.expires_at),
      }
      try {
        await applicationCredentials.insert(tx.db, made)
      } catch (error) {
        if (error instanceof UniqueViolation) {
          throw conflict('application_credential', `Duplicate entry found with name ${made.name}`)
        }
        throw error
      }
      return made
    })
    return { application_credential: { ...(await view(ctx, row)), secret } }
  },
})

const list = operation({
  id: 'identity.application_credentials.list',
  method: 'GET',
  path,
  summary: 'List the application credentials of a user',
  response: listOf('application_credentials', answer),
  policy: identityRule('list_application_credentials', readerOrOwner, systemOrProject),
  load: async (_ctx, { params }) => ({ user_id: params.user_id }),
  async handle(ctx, { params, query, url }) {
    const where = { ...equals(query, ['name']), user_id: params.user_id }
    const found = await applicationCredentials.list(ctx.db, where, { orderBy: [{ column: 'id', direction: 'asc' }] })
    return { application_credentials: await views(ctx, found), links: collectionOf(ctx, url) }
  },
})

/** The user in the path must be the owner: policy is checked on the row. */
async function load(ctx: Ctx, { params }: { params: { user_id: string; application_credential_id: string } }) {
  const { application_credential_id: id, user_id } = params
  const row = await applicationCredentials.find(ctx.db, { id, user_id })
  if (!row && ctx.identity.user_id === user_id) throw notFound('Application Credential', id)
  return { user_id, row }
}

const show = operation({
  id: 'identity.application_credentials.show',
  method: 'GET',
  path: `${path}/{application_credential_id}`,
  summary: 'Show an application credential',
  response: oneOf('application_credential', answer),
  policy: identityRule('get_application_credential', readerOrOwner, systemOrProject),
  load,
  async handle(ctx, { target, params }) {
    if (!target.row) throw notFound('Application Credential', params.application_credential_id)
    return { application_credential: await view(ctx, target.row) }
  },
})

const remove = operation({
  id: 'identity.application_credentials.delete',
  method: 'DELETE',
  path: `${path}/{application_credential_id}`,
  summary: 'Delete an application credential',
  policy: identityRule('delete_application_credential', `${adminRequired} or ${owner}`, systemOrProject),
  load,
  async handle(ctx, { target, params }) {
    checkMayManage(ctx)
    if (!target.row) throw notFound('Application Credential', params.application_credential_id)
    const { id } = target.row
    await ctx.transaction(async tx => {
      await applicationCredentials.remove(tx.db, { id })
      await announce(tx, { application_credential_id: id })
      await identityChanged(tx)
    })
    return undefined
  },
})

export const applicationCredentialOperations = [create, list, show, remove]
