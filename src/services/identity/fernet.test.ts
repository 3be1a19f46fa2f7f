/** Fernet against the vectors of its specification, and against forgery. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { open, seal } from './fernet.ts'

// The vectors of github.com/fernet/spec; our tokens carry no padding.
const secret = Buffer.from('cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=', 'base64url')
const generated = 'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=='
const seconds = Date.parse('1985-10-26T01:20:00-07:00') / 1000

test('the vectors of the specification', () => {
  const iv = Buffer.from(Array.from({ length: 16 }, (_, i) => i))
  assert.equal(seal(secret, Buffer.from('hello'), seconds, iv), generated.replace(/=+$/, ''))
  const opened = open([secret], generated.replace(/=+$/, ''))
  assert.equal(opened?.plain.toString(), 'hello')
  assert.equal(opened?.seconds, seconds)
})

test('openssl decrypts what we seal, and makes the same signature', () => {
  const key = randomBytes(32)
  const bytes = Buffer.from(seal(key, Buffer.from('a token'), seconds, randomBytes(16)), 'base64url')
  const [iv, body] = [bytes.subarray(9, 25), bytes.subarray(25, -32)]
  const hex = (part: Buffer) => part.toString('hex')
  const plain = execFileSync('openssl', ['enc', '-d', '-aes-128-cbc', '-K', hex(key.subarray(16)), '-iv', hex(iv)], {
    input: body,
  })
  assert.equal(plain.toString(), 'a token')
  const args = ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${hex(key.subarray(0, 16))}`]
  const signature = execFileSync('openssl', args, { input: bytes.subarray(0, -32) })
  assert.match(signature.toString(), new RegExp(hex(bytes.subarray(-32))))
})

test('a token that was changed in any character does not open', () => {
  const key = randomBytes(32)
  const token = seal(key, Buffer.from('x'.repeat(40)), seconds, randomBytes(16))
  assert.ok(open([key], token))
  for (let i = 0; i < token.length; i++) {
    for (const other of [token[i] === 'A' ? 'B' : 'A', token[i] === 'w' ? 'x' : 'w']) {
      const forged = token.slice(0, i) + other + token.slice(i + 1)
      if (forged !== token) assert.equal(open([key], forged), undefined, `character ${i}`)
    }
  }
})

test('a token has one spelling only', () => {
  const key = randomBytes(32)
  // 1 + 8 + 16 + 16 + 32 bytes: the last character has bits to spare.
  const token = seal(key, Buffer.from('short'), seconds, randomBytes(16))
  assert.notEqual((token.length * 6) % 8, 0)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const twin = token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) ^ 1]
  assert.deepEqual(Buffer.from(twin, 'base64url'), Buffer.from(token, 'base64url'))
  for (const spelling of [twin, `${token}=`, `${token}==`, ` ${token}`, `${token}\n`, token.toUpperCase()]) {
    assert.equal(open([key], spelling), undefined, JSON.stringify(spelling))
  }
  const standard = token.replaceAll('-', '+').replaceAll('_', '/')
  if (standard !== token) assert.equal(open([key], standard), undefined)
})

test('a well-signed token of another version or shape does not open', () => {
  const key = randomBytes(32)
  const bytes = Buffer.from(seal(key, Buffer.from('x'), seconds, randomBytes(16)), 'base64url')
  const sign = (part: Buffer) =>
    Buffer.concat([part, createHmac('sha256', key.subarray(0, 16)).update(part).digest()]).toString('base64url')
  const body = bytes.subarray(0, -32)
  assert.ok(open([key], sign(body)))
  assert.equal(open([key], sign(Buffer.concat([Buffer.from([0x81]), body.subarray(1)]))), undefined)
  assert.equal(open([key], sign(body.subarray(0, -1))), undefined)
  assert.equal(open([key], sign(body.subarray(0, 25))), undefined)
  assert.equal(open([key], ''), undefined)
})

test('any of the keys opens', () => {
  const [old, now, other] = [randomBytes(32), randomBytes(32), randomBytes(32)]
  const token = seal(old, Buffer.from('x'), seconds, randomBytes(16))
  assert.ok(open([now, old], token))
  assert.equal(open([now, other], token), undefined)
})
