/** Signatures, checked by an implementation that is not this one, and forged. */
import assert from 'node:assert/strict'
import { createHmac, webcrypto } from 'node:crypto'
import { test } from 'node:test'
import { jwkOf, signed, signingKey, verified } from './jws.ts'

const key = signingKey('7', Buffer.alloc(32, 3))
const payload = { sub: 'someone', exp: 1_800_000_000 }
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('whoever has the public key can check what was signed', async () => {
  const [head, body, signature] = signed(key, payload).split('.') as [string, string, string]
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const { kid, alg, use, ...jwk } = jwkOf(key)
  assert.deepEqual({ kid, alg, use }, { kid: '7', alg: 'ES256', use: 'sig' })
  assert.ok(!('d' in jwk))
  const imported = await webcrypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify'])
  const bytes = Buffer.from(signature, 'base64url')
  const text = Buffer.from(`${head}.${body}`)
  assert.ok(await webcrypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, imported, bytes, text))
})

test('what was signed is read; any other byte is not', () => {
  const text = signed(key, payload)
  assert.deepEqual(verified([signingKey('6', Buffer.alloc(32, 4)), key], text), payload)
  for (let i = 0; i < text.length; i++) {
    const other = text[i] === 'A' ? 'B' : 'A'
    assert.equal(verified([key], text.slice(0, i) + other + text.slice(i + 1)), undefined, String(i))
  }
  for (const altered of [`${text}=`, `${text}.`, text.slice(0, -1), `.${text}`, '..', '']) {
    assert.equal(verified([key], altered), undefined, altered)
  }
})

test('no other algorithm is believed, least of all none and those that take the public key for a secret', () => {
  const body = encoded(payload)
  const none = `${encoded({ alg: 'none', typ: 'JWT', kid: '7' })}.${body}.`
  const head = encoded({ alg: 'HS256', typ: 'JWT', kid: '7' })
  const pem = key.public.export({ format: 'pem', type: 'spki' })
  const mac = createHmac('sha256', pem).update(`${head}.${body}`).digest('base64url')
  const stranger = signed({ ...signingKey('7', Buffer.alloc(32, 5)), id: '7' }, payload)
  for (const forged of [none, `${head}.${body}.${mac}`, stranger, signed({ ...key, id: '8' }, payload)]) {
    assert.equal(verified([key], forged), undefined, forged)
  }
})
