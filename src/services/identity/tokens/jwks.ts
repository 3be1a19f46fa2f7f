/** The public keys of signed tokens, for whoever checks them without asking. */
import { operation, reply } from '#kernel/operation.ts'
import { jwkOf } from '../jws.ts'
import { signingKeys } from '../keys/key.ts'

export const showSigningKeys = operation({
  id: 'identity.signing_keys.list',
  method: 'GET',
  path: '/.well-known/jwks.json',
  summary: 'List the public keys of signed tokens',
  policy: 'public',
  handle: async ctx =>
    reply({ keys: (await signingKeys(ctx)).map(jwkOf) }, { headers: { 'cache-control': 'public, max-age=300' } }),
})
