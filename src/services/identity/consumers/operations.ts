/** OAuth1 consumers, and the three steps by which one gets to act for a user. */
import { isoMicros } from '#kernel/clock.ts'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Forbidden, NotFound, Unauthorized } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { oneOf } from '../answers.ts'
import { rolesInScope } from '../assignments/assignment.ts'
import { identityConfig } from '../config.ts'
import { encrypted } from '../credentials/credential.ts'
import { notFound } from '../faults.ts'
import { linkTo } from '../listing.ts'
import { adminRequired, identityRule, ofOperators } from '../policy.ts'
import { findProject } from '../projects/project.ts'
import { resource, type Values } from '../resource.ts'
import { withImplied } from '../roles/role.ts'
import { roles } from '../roles/store.ts'
import { checkSigned, oauthParams } from './consumer.ts'
import { accessTokens, type ConsumerRow, consumers, type RequestTokenRow, requestTokens } from './store.ts'

/** Secrets are told once, when they are made. */
const told = new WeakMap<ConsumerRow, string>()

export const consumerResource = resource<ConsumerRow>({
  member: 'consumer',
  collection: 'consumers',
  extension: 'OS-OAUTH1',
  store: consumers,
  attributes: { description: Type.Union([Type.String(), Type.Null()]), secret: Type.Unknown() },
  required: [],
  filters: [],
  policy: ofOperators,
  view(ctx, row) {
    const { extra, id, description } = row
    const secret = told.get(row)
    return { ...extra, id, description, ...(secret && { secret }), links: linkTo(ctx, `OS-OAUTH1/consumers/${id}`) }
  },
  duplicate: values => `Duplicate ID, ${values.id}`,
  async create(ctx, values, extra) {
    const secret = ctx.ids.bytes(16).toString('hex')
    const description = typeof values.description === 'string' ? values.description : null
    const row = { id: ctx.ids.hex(), description, encrypted_secret: await encrypted(ctx, secret), extra }
    await consumers.insert(ctx.db, row)
    told.set(row, secret)
    return row
  },
  async update(_ctx, _row, { secret, ...patch }: Values) {
    if (secret !== undefined) throw new BadRequest("Invalid input for field 'secret': it cannot be changed.")
    return patch as Partial<ConsumerRow>
  },
  async remove(ctx, { id }) {
    await requestTokens.remove(ctx.db, { consumer_id: id })
    await accessTokens.remove(ctx.db, { consumer_id: id })
  },
})

const form = 'application/x-www-form-urlencoded'

/** A key and its secret in the form of OAuth1's answers. */
function answer(id: string, secret: string, expiresAt: number | null) {
  const end = expiresAt === null ? '' : `&oauth_expires_at=${isoMicros(expiresAt)}`
  return reply(`oauth_token=${id}&oauth_token_secret=${secret}${end}`, {
    status: 201,
    headers: { 'content-type': form },
  })
}

const endIn = (ctx: Ctx, seconds: number) => (seconds === 0 ? null : ctx.clock.now() + seconds * 1000)

const createRequestToken = operation({
  id: 'identity.oauth1.create_request_token',
  method: 'POST',
  path: '/v3/OS-OAUTH1/request_token',
  summary: 'Ask, as a consumer, for a way to a project',
  answers: form,
  status: 201,
  takes: 'nothing',
  policy: 'public',
  async handle(ctx, request) {
    const params = oauthParams(request, ['oauth_consumer_key'])
    const project_id = request.headers['requested-project-id']
    if (!project_id) throw new BadRequest('Expecting to find Requested-Project-Id in request.')
    // What is signed is looked at first: who did not sign learns nothing of projects.
    await checkSigned(ctx, request, params)
    await findProject(ctx, project_id)
    const secret = ctx.ids.bytes(16).toString('hex')
    const row: RequestTokenRow = {
      id: ctx.ids.hex(),
      consumer_id: params.oauth_consumer_key!,
      project_id,
      encrypted_secret: await encrypted(ctx, secret),
      verifier: null,
      user_id: null,
      role_ids: [],
      expires_at: endIn(ctx, ctx.config.of(identityConfig).oauth1_request_token_seconds),
    }
    await requestTokens.insert(ctx.db, row)
    return answer(row.id, secret, row.expires_at)
  },
})

async function findRequest(ctx: Ctx, id: string): Promise<RequestTokenRow> {
  const row = await requestTokens.find(ctx.db, { id })
  if (!row) throw new NotFound('Could not find request token.')
  if (row.expires_at !== null && row.expires_at <= ctx.clock.now()) throw new Unauthorized('Request token is expired')
  return row
}

/** Who acts for another by a token must not make a lasting way of it. */
export function checkNotDelegated({ identity }: Ctx, what: string): void {
  const { trust_id, access_token_id, methods } = identity
  if (trust_id === undefined && access_token_id === undefined && !methods.includes('application_credential')) return
  throw new Forbidden(`Cannot ${what} with a token issued via delegation.`)
}

async function roleIds(ctx: Ctx, named: readonly { id?: string; name?: string }[]): Promise<string[]> {
  const ids: string[] = []
  for (const { id, name } of named) {
    const role = await roles.find(ctx.db, id !== undefined ? { id } : { name: name!, domain_id: null })
    if (!role) throw notFound('role', id ?? name!)
    ids.push(role.id)
  }
  return [...new Set(ids)]
}

const authorizeRequestToken = operation({
  id: 'identity.oauth1.authorize',
  method: 'PUT',
  path: '/v3/OS-OAUTH1/authorize/{request_token_id}',
  summary: 'Let a consumer act for you with some of your roles',
  response: oneOf('token', Type.Object({ oauth_verifier: Type.String() })),
  policy: identityRule('authorize_request_token', adminRequired, ['project']),
  request: Type.Object({
    roles: Type.Array(
      Type.Object(
        { id: Type.Optional(Type.String({ maxLength: 64 })), name: Type.Optional(Type.String({ maxLength: 255 })) },
        { minProperties: 1, maxProperties: 1, additionalProperties: false },
      ),
      { maxItems: 100 },
    ),
  }),
  async handle(ctx, { params, body }) {
    checkNotDelegated(ctx, 'authorize a request token')
    const row = await findRequest(ctx, params.request_token_id)
    const role_ids = await roleIds(ctx, body.roles)
    const { user_id } = ctx.identity
    const own = await rolesInScope(ctx, user_id, { type: 'project', id: row.project_id })
    const held = await withImplied(ctx, own)
    if (role_ids.length === 0 || !role_ids.every(id => held.has(id))) {
      throw new Unauthorized('authorizing user does not have role required')
    }
    const verifier = ctx.ids.hex()
    await requestTokens.update(ctx.db, { id: row.id }, { user_id, role_ids, verifier })
    return { token: { oauth_verifier: verifier } }
  },
})

const createAccessToken = operation({
  id: 'identity.oauth1.create_access_token',
  method: 'POST',
  path: '/v3/OS-OAUTH1/access_token',
  summary: 'Fetch, as a consumer, what a user said yes to',
  answers: form,
  status: 201,
  takes: 'nothing',
  policy: 'public',
  async handle(ctx, request) {
    const params = oauthParams(request, ['oauth_consumer_key', 'oauth_token', 'oauth_verifier'])
    const asked = await findRequest(ctx, params.oauth_token!)
    if (asked.consumer_id !== params.oauth_consumer_key) {
      throw new Unauthorized('Provided consumer key does not match stored consumer key.')
    }
    await checkSigned(ctx, request, params, asked.encrypted_secret)
    const { user_id, verifier } = asked
    if (user_id === null) throw new Unauthorized('Request Token does not have an authorizing user id.')
    if (verifier !== params.oauth_verifier) throw new Unauthorized('Provided verifier does not match stored verifier')
    const secret = ctx.ids.bytes(16).toString('hex')
    const id = ctx.ids.hex()
    const expires_at = endIn(ctx, ctx.config.of(identityConfig).oauth1_access_token_seconds)
    const { consumer_id, project_id, role_ids } = asked
    const encrypted_secret = await encrypted(ctx, secret)
    await ctx.transaction(async tx => {
      // Of two who fetch it at once, one gets it.
      if ((await requestTokens.remove(tx.db, { id: asked.id })) === 0) throw new Unauthorized('Invalid signature')
      const row = { id, consumer_id, project_id, encrypted_secret, user_id, role_ids, expires_at }
      await accessTokens.insert(tx.db, row)
    })
    return answer(id, secret, expires_at)
  },
})

export const consumerOperations = [
  ...consumerResource.operations,
  createRequestToken,
  authorizeRequestToken,
  createAccessToken,
]
