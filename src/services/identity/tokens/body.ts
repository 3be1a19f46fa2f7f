/** A token as the API shows it. */
import { isoMicros } from '#kernel/clock.ts'
import type { Ctx } from '#kernel/context.ts'
import { catalogFor } from '../catalog/catalog.ts'
import type { Home } from '../federation/federation.ts'
import { endOfPassword, passwordTime } from '../password-rules.ts'
import { openServiceProviders } from '../service-providers/service-provider.ts'
import type { Facts } from './facts.ts'
import { type Claims, isFederated } from './token.ts'

const named = ({ id, name }: { id: string; name: string }) => ({ id, name })

const federationOf = ({ idp_id, protocol_id, group_ids }: Home) => ({
  groups: group_ids.map(id => ({ id })),
  identity_provider: { id: idp_id },
  protocol: { id: protocol_id },
})

export async function tokenBody(ctx: Ctx, claims: Claims, facts: Facts, withCatalog: boolean) {
  const { user, userDomain, target, targetDomain, roles, trust, accessToken, applicationCredential: credential } = facts
  const { scope } = claims
  const home = isFederated(claims) ? facts.home : undefined
  const service_providers = await openServiceProviders(ctx)
  return {
    token: {
      methods: claims.methods,
      user: {
        domain: named(userDomain),
        id: user.id,
        name: user.name,
        ...(home
          ? { 'OS-FEDERATION': federationOf(home) }
          : { password_expires_at: passwordTime(endOfPassword(user)) }),
      },
      audit_ids: claims.audit_ids,
      expires_at: isoMicros(claims.expires_at),
      issued_at: isoMicros(claims.issued_at),
      ...(scope.type === 'project' && {
        project: { domain: named(targetDomain!), id: target!.id, name: target!.name },
        is_domain: target!.is_domain,
      }),
      ...(scope.type === 'domain' && { domain: named(target!) }),
      ...(scope.type === 'system' && { system: { all: true } }),
      ...(scope.type !== 'unscoped' && { roles }),
      ...(credential && {
        application_credential: {
          id: credential.id,
          name: credential.name,
          restricted: !credential.unrestricted,
          ...(credential.access_rules && { access_rules: credential.access_rules }),
        },
      }),
      ...(trust && {
        'OS-TRUST:trust': {
          id: trust.row.id,
          impersonation: trust.row.impersonation,
          trustor_user: { id: trust.trustor.id },
          trustee_user: { id: trust.trustee.id },
        },
      }),
      ...(accessToken && {
        'OS-OAUTH1': { access_token_id: accessToken.id, consumer_id: accessToken.consumer_id },
      }),
      ...(service_providers.length > 0 && { service_providers }),
      ...(scope.type !== 'unscoped' &&
        withCatalog && {
          catalog: await catalogFor(ctx, trust?.trustor.id ?? user.id, scope.type === 'project' ? scope.id : undefined),
        }),
    },
  }
}
