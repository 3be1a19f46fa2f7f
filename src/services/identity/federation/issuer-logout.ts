/** Single logout of SAML, with this cloud as the identity provider: other clouds are told when a token ends of which they were told, and may end it. */
import { type Ctx, perCloud } from '#kernel/context.ts'
import { messageOf, Unauthorized } from '#kernel/errors.ts'
import { bodyText } from '#kernel/http/body-text.ts'
import { operation } from '#kernel/operation.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { identityConfig } from '../config.ts'
import { endedAmong } from '../federated-token.ts'
import { freshGeneration, revokeToken } from '../revocations/revocation.ts'
import { serviceProviders } from '../service-providers/store.ts'
import { fromEnvelope } from './saml-envelope.ts'
import { audienceOf, issuer } from './saml-issuer.ts'
import { longest } from './saml-login.ts'
import { soapReply } from './saml-logout.ts'
import {
  issuerOf,
  logoutRequestXml,
  logoutResponseXml,
  readLogoutRequest,
  signedSoap,
  tellBySoap,
} from './saml-logout-message.ts'
import { type ToldSession, toldSessions } from './store.ts'

const settingsOf = (ctx: Ctx, id: string) => {
  const { issuer_logouts } = ctx.config.of(identityConfig).federation
  return Object.hasOwn(issuer_logouts, id) ? issuer_logouts[id] : undefined
}

/** Throws when the provider cannot be told, or will not hear it. */
async function tell(ctx: Ctx, session: ToldSession): Promise<void> {
  const settings = settingsOf(ctx, session.service_provider_id)
  if (!settings) return
  const { entity_id, key } = await issuer(ctx)
  const xml = logoutRequestXml({
    ...{ id: `_${ctx.ids.hex()}`, issuer: entity_id, destination: settings.url, now: ctx.clock.now() },
    ...{ subject: { text: session.subject }, session_index: session.id },
  })
  await tellBySoap(settings.url, signedSoap(xml, key))
}

/** The generation of identity in which everybody had been told of everything. */
const told = perCloud(() => ({ generation: -1 }))

const pageSize = 500

/** A page at a time: there may be many. */
async function* livingAt(ctx: Ctx, now: number): AsyncGenerator<ToldSession[]> {
  for (let page: ToldSession[] = [], after: ToldSession | undefined; ; after = page.at(-1)!) {
    const where = { expires_at: { op: '>', value: now } } as const
    const orderBy = [{ column: 'id' as const, direction: 'asc' as const }]
    page = await toldSessions.list(ctx.db, where, { orderBy, limit: pageSize, ...(after && { after }) })
    yield page
    if (page.length < pageSize) return
  }
}

/** `silent` has the providers that do not answer: they would keep the others waiting, once for each token. */
async function tellOf(ctx: Ctx, session: ToldSession, silent: Set<string>): Promise<void> {
  const { id, service_provider_id: provider } = session
  if (silent.has(provider)) return
  try {
    await tell(ctx, session)
    await toldSessions.remove(ctx.db, { id })
  } catch (error) {
    silent.add(provider)
    ctx.log.warn({ provider, reason: messageOf(error) }, 'a cloud was not told of a logout; it will be told again')
  }
}

/** A token ends in many ways (it is revoked, its user is disabled, a role is taken away): all of them are looked for. */
export const tellOfEnds = reconciler({
  id: 'identity.told_sessions',
  every: 10_000,
  async run(ctx) {
    if (Object.keys(ctx.config.of(identityConfig).federation.issuer_logouts).length === 0) return
    const generation = await freshGeneration(ctx)
    if (told(ctx).generation === generation) return
    const now = ctx.clock.now()
    const silent = new Set<string>()
    for await (const page of livingAt(ctx, now)) {
      const ended = await endedAmong(
        ctx,
        page.map(session => session.claims),
      )
      for (const session of page) if (ended.has(session.claims)) await tellOf(ctx, session, silent)
    }
    if (silent.size === 0) told(ctx).generation = generation
  },
})

/** The service provider that calls itself so, when it may end tokens here. */
async function providerNamed(ctx: Ctx, entity_id: string) {
  const { issuer_logouts } = ctx.config.of(identityConfig).federation
  const known = await serviceProviders.list(ctx.db, { id: Object.keys(issuer_logouts), enabled: true })
  const found = known.find(one => audienceOf(ctx, one) === entity_id)
  if (!found) throw new Unauthorized()
  return { id: found.id, certificate_files: settingsOf(ctx, found.id)!.certificate_files }
}

const logOut = operation({
  id: 'identity.federation.saml2_logout',
  method: 'POST',
  path: '/v3/OS-FEDERATION/saml2/slo',
  summary: 'End the tokens that a service provider was told of, as it asks by SAML',
  policy: 'public',
  raw: true,
  async handle(ctx, { stream }) {
    const { entity_id: own, key } = await issuer(ctx)
    const xml = fromEnvelope(await bodyText(stream, longest), 'LogoutRequest')
    const entity_id = issuerOf(xml)
    const { id, certificate_files } = await providerNamed(ctx, entity_id)
    const destination = `${ctx.publicUrl}/identity/v3/OS-FEDERATION/saml2/slo`
    const request = await readLogoutRequest(ctx, { xml }, { entity_id, certificate_files, destination })
    const { subject, session_indexes } = request
    const asked = { service_provider_id: id, subject, ...(session_indexes.length > 0 && { id: session_indexes }) }
    for (const session of await toldSessions.list(ctx.db, asked)) await endToken(ctx, session)
    const answer = { id: `_${ctx.ids.hex()}`, issuer: own, destination: entity_id, now: ctx.clock.now() }
    return soapReply(signedSoap(logoutResponseXml({ ...answer, answers: request.id }), key))
  },
})

/** Who asked knows; other clouds that were told of the token are told by the reconciler. */
async function endToken(ctx: Ctx, { id, claims }: ToldSession): Promise<void> {
  await ctx.transaction(async tx => {
    await revokeToken(tx, claims.audit_ids.at(-1)!, claims.expires_at, { withDerived: true })
    await toldSessions.remove(tx.db, { id })
  })
}

export const issuerLogoutOperations = [logOut]
