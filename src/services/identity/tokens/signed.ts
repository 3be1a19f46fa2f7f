/** Tokens for requests that were signed with an EC2 credential: asked for by services that got such a request. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound, Unauthorized } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { identityConfig } from '../config.ts'
import { blobOf, ec2CredentialId } from '../credentials/credential.ts'
import { type CredentialRow, credentials } from '../credentials/store.ts'
import { ec2Signature, s3Signature, sameSignature } from '../ec2-signature.ts'
import { allScopes, identityRule } from '../policy.ts'
import { freshGeneration } from '../revocations/revocation.ts'
import { trusts } from '../trusts/store.ts'
import { grantedFacts } from './facts.ts'
import { kept, mint, tokenAnswer } from './mint.ts'

interface Signed {
  access?: string
  signature?: string
  token?: string
  verb?: string
  host?: string
  path?: string
  body_hash?: string
  params?: Record<string, string>
  headers?: Record<string, string>
}

interface Keys {
  access: string
  secret: string
  trust_id?: string | null
  app_cred_id?: string | null
  access_token_id?: string | null
}

const text = Type.Optional(Type.String({ maxLength: 8192 }))
const texts = Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 8192 }), { maxProperties: 200 }))
const signed = Type.Object({
  access: text,
  signature: text,
  token: text,
  verb: text,
  host: text,
  path: text,
  body_hash: text,
  params: texts,
  headers: texts,
})
/** Clients know it by three names. */
const request = Type.Object({
  credentials: Type.Optional(signed),
  credential: Type.Optional(signed),
  ec2Credentials: Type.Optional(signed),
})

/** The credential that the access key names, with its keys. */
async function keysOf(ctx: Ctx, access: string): Promise<{ row: CredentialRow; keys: Keys }> {
  const row = await credentials.find(ctx.db, { id: ec2CredentialId(access) })
  if (row?.type !== 'ec2' || row.project_id === null) throw new NotFound('EC2 access key not found.')
  const keys = JSON.parse(await blobOf(ctx, row)) as Keys
  if (typeof keys.secret !== 'string') throw new NotFound('EC2 access key not found.')
  return { row, keys }
}

/** A time as either dialect writes it: `2026-01-31T12:00:00Z`, `20260131T120000Z`. */
function timeOf(written: string): number {
  return Date.parse(written.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}

/** There must be a signed time of about now: what was overheard is not good for ever. (Upstream takes what says no time.) */
function checkTime(ctx: Ctx, { params, headers }: Signed): void {
  const written = params?.Timestamp ?? headers?.['X-Amz-Date'] ?? params?.['X-Amz-Date']
  const at = timeOf(written ?? '')
  if (Number.isNaN(at)) throw new Unauthorized('Credential timestamp is invalid')
  const { ec2_signature_seconds } = ctx.config.of(identityConfig)
  if (Math.abs(ctx.clock.now() - at) > ec2_signature_seconds * 1000) throw new Unauthorized('Credential is expired')
}

function checkEc2(ctx: Ctx, { secret }: Keys, sent: Signed): void {
  if (!sent.signature) throw new Unauthorized('EC2 signature not supplied.')
  const { verb = '', host = '', path = '', body_hash = '', params = {}, headers = {} } = sent
  const asked = { verb, path, body_hash, params, headers }
  // Some clients leave the port out of what they sign.
  const hosts = [host, host.replace(/:\d+$/, '')]
  const right = hosts.some(one => sameSignature(sent.signature!, ec2Signature(secret, { ...asked, host: one })))
  if (!right) throw new Unauthorized('Invalid EC2 signature.')
  checkTime(ctx, sent)
}

/** Whether it is too late for it the object store knows: an address signed beforehand may be good for days. */
function checkS3(_ctx: Ctx, { secret }: Keys, sent: Signed): void {
  const wanted = s3Signature(secret, Buffer.from(sent.token ?? '', 'base64url'))
  if (!sameSignature(sent.signature ?? '', wanted)) throw new Unauthorized('Credential signature mismatch')
}

/** The user in whose name the credential logs in: of a trust with impersonation the credential says the trustor. */
async function actor(ctx: Ctx, { user_id }: CredentialRow, { trust_id }: Keys): Promise<string> {
  const trust = trust_id ? await trusts.find(ctx.db, { id: trust_id }) : undefined
  return trust?.impersonation ? trust.trustee_user_id : user_id
}

async function tokenFor(ctx: Ctx, body: unknown, check: (ctx: Ctx, keys: Keys, sent: Signed) => void) {
  const generation = await freshGeneration(ctx)
  const all = body as { credentials?: Signed; credential?: Signed; ec2Credentials?: Signed }
  if (Object.keys(all).length === 0) throw new BadRequest('request must include a request body')
  const sent = all.credentials ?? all.credential ?? all.ec2Credentials ?? {}
  if (sent.access === undefined) throw new Unauthorized('EC2 Signature not supplied')
  const { row, keys } = await keysOf(ctx, sent.access)
  check(ctx, keys, sent)
  const claimed = {
    user_id: await actor(ctx, row, keys),
    scope: { type: 'project' as const, id: row.project_id! },
    ...(keys.trust_id && { trust_id: keys.trust_id }),
    ...(keys.app_cred_id && { application_credential_id: keys.app_cred_id }),
    ...(keys.access_token_id && { access_token_id: keys.access_token_id }),
  }
  const facts = await grantedFacts(ctx, claimed)
  if (!facts) throw new Unauthorized('User not valid for project.')
  return mint(ctx, { ...claimed, facts, generation, methods: ['ec2credential'], withCatalog: true })
}

export const ec2Tokens = operation({
  id: 'identity.ec2tokens.issue',
  method: 'POST',
  path: '/v3/ec2tokens',
  summary: 'Issue a token for a request signed with an EC2 credential',
  response: tokenAnswer,
  policy: identityRule('ec2tokens_validate', 'rule:service_or_admin', allScopes),
  request,
  async handle(ctx, { body }) {
    const { token, body: shown } = await tokenFor(ctx, body, checkEc2)
    return reply(shown, { headers: { 'x-subject-token': token, ...kept } })
  },
})

export const s3Tokens = operation({
  id: 'identity.s3tokens.issue',
  method: 'POST',
  path: '/v3/s3tokens',
  summary: 'Describe the bearer of a request to an object store signed with an EC2 credential',
  response: tokenAnswer,
  policy: identityRule('s3tokens_validate', 'rule:service_or_admin', allScopes),
  request,
  handle: async (ctx, { body }) => reply((await tokenFor(ctx, body, checkS3)).body, { headers: kept }),
})
