/** Signatures of OAuth 1.0, against the example of its specification's first edition. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { oauthHeader, oauthSignature } from './oauth1-signature.ts'

test('the well-known example of photographs', () => {
  const params = {
    oauth_consumer_key: 'dpf43f3p2l4k3l03',
    oauth_token: 'nnch734d00sl2jdk',
    oauth_signature_method: 'HMAC-SHA1',
    oauth_timestamp: '1191242096',
    oauth_nonce: 'kllo9940pd9333jh',
    oauth_version: '1.0',
  }
  const request = { method: 'get', url: 'http://photos.example.net/photos?file=vacation.jpg&size=original', params }
  assert.equal(oauthSignature(request, 'kd94hf93k423kf44', 'pfkkdhi9sl3r4s00'), 'tR3+Ty81lMeYAr/Fid0kMTYa/WM=')
  const unknown = { ...request, params: { ...params, oauth_signature_method: 'PLAINTEXT' } }
  assert.equal(oauthSignature(unknown, 'a', 'b'), undefined)
})

test('a header is read with its escapes', () => {
  assert.deepEqual(oauthHeader('OAuth realm="x", oauth_token="a%2Bb", broken, oauth_nonce="%"'), {
    realm: 'x',
    oauth_token: 'a+b',
  })
  assert.equal(oauthHeader('Bearer x'), undefined)
  assert.equal(oauthHeader(undefined), undefined)
})
