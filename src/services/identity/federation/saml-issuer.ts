/** This cloud as a SAML 2.0 identity provider: what it tells another cloud of the bearer of a token. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { Forbidden, NotImplemented } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { identityConfig } from '../config.ts'
import { notFound } from '../faults.ts'
import { type Bearer, projectBearer } from '../federated-token.ts'
import { groups, groupsOfUser } from '../groups/store.ts'
import { projects } from '../projects/store.ts'
import { type ServiceProviderRow, serviceProviders } from '../service-providers/store.ts'
import { ecpResponse, metadataXml, responseXml, signedResponse } from './saml-xml.ts'
import { toldSessions } from './store.ts'

const id = Type.String({ minLength: 1, maxLength: 4096 })
const request = Type.Object({
  auth: Type.Object({
    identity: Type.Object({ methods: Type.Array(Type.String()), token: Type.Object({ id }) }),
    scope: Type.Object({ service_provider: Type.Object({ id }) }),
  }),
})

/** This cloud as others know it. */
export async function issuer(ctx: Ctx): Promise<{ entity_id: string; certificate: string; key: string }> {
  const { issuer_entity_id, issuer_certificate_file, issuer_key_file } = ctx.config.of(identityConfig).federation
  if (!issuer_certificate_file || !issuer_key_file) {
    throw new NotImplemented(
      'This cloud is no SAML identity provider: set issuer_certificate_file and issuer_key_file in identity.federation.',
    )
  }
  return {
    entity_id: issuer_entity_id || `${ctx.publicUrl}/identity/v3/OS-FEDERATION/saml2/metadata`,
    certificate: await readFile(issuer_certificate_file, 'utf8'),
    key: await readFile(issuer_key_file, 'utf8'),
  }
}

/** What a service provider calls itself; nothing when that is not said. */
export function audienceOf(ctx: Ctx, { id, sp_url }: ServiceProviderRow): string | undefined {
  return (ctx.config.of(identityConfig).federation.issuer_audiences[id] ?? sp_url) || undefined
}

/** Upstream's form, for mappings that have `groups` without a domain. */
async function groupsOf(ctx: Ctx, { user_id, mapped_group_ids }: Bearer): Promise<string[]> {
  const found = [...(await groupsOfUser(ctx.db, user_id)), ...(await groups.list(ctx.db, { id: mapped_group_ids }))]
  const domains = await projects.list(ctx.db, { id: found.map(group => group.domain_id), is_domain: true })
  const names = new Map(domains.map(domain => [domain.id, domain.name]))
  return found.map(({ name, domain_id }) => `JSON:${JSON.stringify({ name, domain: { name: names.get(domain_id) } })}`)
}

interface Told {
  provider: ServiceProviderRow
  xml: string
}

/** One for each token there: how often it is told of changes nothing. */
function sessionOf({ claims }: Bearer, provider: ServiceProviderRow): string {
  return `_${createHash('sha256').update(`${provider.id}\n${claims.audit_ids[0]}`).digest('hex')}`
}

/** Tokens of a user that one other cloud is told of at a time. */
const mostTold = 10_000

/** For when the token ends. */
async function noteTold(
  ctx: Ctx,
  id: string,
  { user_id, user_name: subject, claims }: Bearer,
  provider: ServiceProviderRow,
): Promise<void> {
  if (await toldSessions.find(ctx.db, { id })) return
  const own = { user_id, service_provider_id: provider.id }
  if ((await toldSessions.count(ctx.db, own)) >= mostTold) {
    throw new Forbidden(
      `${provider.id} was told of ${mostTold} tokens of this user: use one of them, or wait for their end.`,
    )
  }
  try {
    await toldSessions.insert(ctx.db, { ...own, id, subject, claims, expires_at: claims.expires_at })
  } catch (error) {
    // By another request with the same token.
    if (!(error instanceof UniqueViolation)) throw error
  }
}

async function assertionFor(ctx: Ctx, auth: { token: string; provider: string }): Promise<Told> {
  const provider = await serviceProviders.find(ctx.db, { id: auth.provider })
  if (!provider) throw notFound('Service Provider', auth.provider)
  if (!provider.enabled) throw new Forbidden(`Service Provider ${provider.id} is disabled.`)
  const bearer = await projectBearer(ctx, auth.token)
  const { entity_id, certificate, key } = await issuer(ctx)
  const { issuer_lifetime_seconds, issuer_logouts } = ctx.config.of(identityConfig).federation
  const now = ctx.clock.now()
  const session = sessionOf(bearer, provider)
  if (Object.hasOwn(issuer_logouts, provider.id)) await noteTold(ctx, session, bearer, provider)
  const told = await groupsOf(ctx, bearer)
  const xml = responseXml({
    id: `_${ctx.ids.hex()}`,
    response_id: `_${ctx.ids.hex()}`,
    session,
    issuer: entity_id,
    recipient: provider.sp_url,
    audience: audienceOf(ctx, provider),
    subject: bearer.user_name,
    attributes: {
      openstack_user: [bearer.user_name],
      openstack_user_domain: [bearer.user_domain],
      openstack_roles: bearer.roles,
      openstack_project: [bearer.project_name],
      openstack_project_domain: [bearer.project_domain],
      ...(told.length > 0 && { openstack_groups: told }),
    },
    now,
    until: Math.min(now + issuer_lifetime_seconds * 1000, bearer.claims.expires_at),
  })
  return { provider, xml: signedResponse(xml, key, certificate) }
}

function asXml(xml: string, { sp_url, auth_url }: ServiceProviderRow) {
  const headers = {
    'content-type': 'text/xml',
    'x-sp-url': sp_url,
    'x-auth-url': auth_url,
    'cache-control': 'no-store',
  }
  return reply(Buffer.from(xml), { status: 200, headers })
}

function issuing(more: { id: string; path: `/${string}`; summary: string; wrap(ctx: Ctx, told: Told): string }) {
  const { wrap, ...asked } = more
  return operation({
    ...asked,
    method: 'POST',
    policy: 'public',
    request,
    answers: 'text/xml',
    async handle(ctx, { body: { auth } }) {
      const { token } = auth.identity
      const told = await assertionFor(ctx, { token: token.id, provider: auth.scope.service_provider.id })
      return asXml(wrap(ctx, told), told.provider)
    },
  })
}

const issueAssertion = issuing({
  id: 'identity.federation.saml2',
  path: '/v3/auth/OS-FEDERATION/saml2',
  summary: 'Get a SAML assertion about the bearer of a token, for a service provider',
  wrap: (_ctx, { xml }) => xml,
})

const issueEcpAssertion = issuing({
  id: 'identity.federation.saml2_ecp',
  path: '/v3/auth/OS-FEDERATION/saml2/ecp',
  summary: 'Get a SAML assertion in an ECP envelope',
  wrap: (ctx, { xml, provider }) => ecpResponse(xml, provider.relay_state_prefix + ctx.ids.hex()),
})

const showMetadata = operation({
  id: 'identity.federation.metadata',
  method: 'GET',
  path: '/v3/OS-FEDERATION/saml2/metadata',
  summary: 'Show what this cloud is as a SAML identity provider',
  answers: 'text/xml',
  policy: 'public',
  async handle(ctx) {
    const { entity_id, certificate } = await issuer(ctx)
    const at = `${ctx.publicUrl}/identity/v3/OS-FEDERATION/saml2`
    const xml = metadataXml(entity_id, certificate, { sso: `${at}/sso`, slo: `${at}/slo` })
    return reply(Buffer.from(xml), { status: 200, headers: { 'content-type': 'text/xml' } })
  },
})

export const issuerOperations = [issueAssertion, issueEcpAssertion, showMetadata]
