/** The public keys of signed tokens, for whoever checks them without asking. */
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { oneOf } from '../answers.ts'
import { jwkOf } from '../jws.ts'
import { signingKeys } from '../keys/key.ts'

export const showSigningKeys = operation({
  id: 'identity.signing_keys.list',
  method: 'GET',
  path: '/.well-known/jwks.json',
  summary: 'List the public keys of signed tokens',
  response: oneOf('keys', Type.Array(Type.Record(Type.String(), Type.Unknown()))),
  policy: 'public',
  handle: async ctx =>
    reply({ keys: (await signingKeys(ctx)).map(jwkOf) }, { headers: { 'cache-control': 'public, max-age=300' } }),
})
