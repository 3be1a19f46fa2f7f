import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sealBy, sealBytes, unsealedBus } from './seal.ts'

const refused = /not sealed by a key of this cloud/

test('what is sealed is opened by the same key, for the same subject, and says nothing by itself', () => {
  const seal = sealBy('one')
  const text = '{"password":"grüße"}'
  const bytes = seal.seal(text, 'host.a')
  assert.equal(bytes.length, Buffer.byteLength(text) + sealBytes)
  assert.ok(!Buffer.from(bytes).includes('password'))
  assert.equal(seal.open(bytes, 'host.a'), text)
  assert.notDeepEqual(seal.seal(text, 'host.a'), bytes)
  assert.throws(() => seal.open(bytes, 'host.b'), refused)
  assert.throws(() => sealBy('two').open(bytes, 'host.a'), refused)
})

test('what was changed, cut off or never sealed is not opened', () => {
  const seal = sealBy('one')
  const bytes = seal.seal('{}', 'x')
  for (const at of [0, 1, 14, bytes.length - 1]) {
    const changed = Uint8Array.from(bytes)
    changed[at]! ^= 1
    assert.throws(() => seal.open(changed, 'x'), refused)
  }
  for (const length of [0, 1, sealBytes - 1, bytes.length - 1])
    assert.throws(() => seal.open(bytes.subarray(0, length), 'x'), refused)
  assert.throws(() => seal.open(Buffer.from('{}'), 'x'), refused)
  assert.throws(() => unsealedBus.open(bytes, 'x'), /no cloud.bus_key/)
})

test('a key is changed in three rounds: whoever is a round ahead or behind is understood', () => {
  const rounds = ['old', 'old new', 'new old', 'new'].map(sealBy)
  for (const [at, seal] of rounds.entries())
    for (const other of rounds.slice(Math.max(0, at - 1), at + 2))
      assert.equal(other.open(seal.seal('1', 'x'), 'x'), '1')
})
