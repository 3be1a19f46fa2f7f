/** Signatures of signed requests, against vectors of Amazon's documents and of other clients. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ec2Signature, s3Signature, sameSignature } from './ec2-signature.ts'

const plain = { verb: 'GET', host: 'h', path: '/', params: {}, headers: {}, body_hash: '' }
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

test('version 2', () => {
  const params = {
    Action: 'Describe It',
    SignatureVersion: '2',
    AWSAccessKeyId: 'a',
    Timestamp: '2026-01-31T12:00:00Z',
    x: "~'(é)*",
  }
  const request = { ...plain, host: 'cloud:8773', path: '/services/Cloud/', params }
  assert.equal(ec2Signature('secret', request), 'imgvGBy3o6Ad26FcOmpU1bBHpUGKHoZFINoO9IQlNO0=')
})

const headers = {
  Host: 'example.amazonaws.com',
  'X-Amz-Date': '20150830T123600Z',
  Authorization:
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=x',
}
const vanilla = { ...plain, host: 'example.amazonaws.com', headers, body_hash: emptyHash }
const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

test('version 4 in headers', () => {
  const right = '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'
  assert.equal(ec2Signature(secret, vanilla), right)
  assert.notEqual(ec2Signature('other', vanilla), right)
  assert.notEqual(ec2Signature(secret, { ...vanilla, path: '/x' }), right)
})

test('version 4 in the query', () => {
  const params = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': 'k/20260131/RegionOne/ec2/aws4_request',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Date': '20260131T120000Z',
    b: '2 3',
    a: '1',
  }
  const request = { ...plain, path: '/x', headers: { Host: 'h' }, params, body_hash: 'ff' }
  assert.equal(ec2Signature('secret', request), '65ca218bd860338060c7994cac2eb583181759cc45812ea979ee8bb94bd4d62e')
})

test('other kinds of signature, and broken ones, are none', () => {
  assert.equal(ec2Signature('secret', plain), undefined)
  assert.equal(ec2Signature('secret', { ...plain, params: { SignatureVersion: '1' } }), undefined)
  const on = (Authorization: string) => ({ ...vanilla, headers: { ...headers, Authorization } })
  assert.equal(ec2Signature(secret, on('AWS4-HMAC-SHA256')), undefined)
  assert.equal(ec2Signature(secret, on('AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host')), undefined)
  const otherDay = headers.Authorization.replace('20150830', '20150831')
  assert.equal(ec2Signature(secret, on(otherDay)), undefined)
  assert.equal(sameSignature('', undefined), false)
})

test('object stores: the old signature and version 4', () => {
  const old = Buffer.from('GET\n\n\nSat, 31 Jan 2026 12:00:00 GMT\n/bucket/key')
  assert.equal(s3Signature('secret', old), 'WXZjsekn1sSG6GIXq8h3ZE90rRw=')
  const text = 'AWS4-HMAC-SHA256\n20260131T120000Z\n20260131/RegionOne/s3/aws4_request\nabc'
  const right = '9488f8108fbf08a5ede35902ba2e6ecdfe20356683130f64e744b008397bafe0'
  assert.equal(s3Signature('secret', Buffer.from(text)), right)
  assert.equal(s3Signature('secret', Buffer.from(text.replace('/s3/', '/ec2/'))), undefined)
  assert.equal(s3Signature('secret', Buffer.from(`${text}\nmore`)), undefined)
})
