/** One-time codes, against the vectors of RFC 6238 and RFC 4648. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base32, isTotpCode, totpCode } from './totp.ts'

const secret = Buffer.from('12345678901234567890')

test('codes of known times', () => {
  const known = {
    59: '287082',
    1111111109: '081804',
    1234567890: '005924',
    2000000000: '279037',
    20000000000: '353130',
  }
  for (const [seconds, code] of Object.entries(known)) assert.equal(totpCode(secret, Number(seconds)), code)
})

test('base32, with padding or without, in either case', () => {
  for (const text of ['MZXW6YTB', 'mzxw6ytb', ' MZXW6YTB ']) assert.equal(base32(text)?.toString(), 'fooba')
  assert.equal(base32('MZXW6===')?.toString(), 'foo')
  assert.equal(base32('MZXW6')?.toString(), 'foo')
  assert.equal(base32('not base32!'), undefined)
  assert.equal(base32(''), undefined)
})

test('a code is good in its window and as long after as allowed', () => {
  assert.ok(isTotpCode('287082', secret, 59, 0))
  assert.ok(isTotpCode('287082', secret, 60, 1))
  assert.ok(!isTotpCode('287082', secret, 60, 0))
  assert.ok(!isTotpCode('287082', secret, 29, 5), 'not before its time')
  assert.ok(!isTotpCode('28708', secret, 59, 0))
})
