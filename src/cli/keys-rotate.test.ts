/** New keys for tokens, by command. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { testCloud } from '../../test/harness.ts'
import { keysRotate } from './keys-rotate.ts'

test('a rotation logs nobody out; a former key that is forgotten ends its tokens, in a cloud that runs too (S-280)', async t => {
  const data = await mkdtemp(join(tmpdir(), 'nephos-keys-'))
  const said: string[] = []
  t.mock.method(console, 'log', (line: string) => said.push(line))
  try {
    const set = ['identity.cache_trust_ms=0']
    await using cloud = await testCloud({ database: openSqlite(join(data, 'nephos.db')), set })
    const isGood = async (token: string) => (await cloud.env.authenticate(token)) !== undefined
    const before = await cloud.login('demo')
    assert.ok(before.length < 255)
    assert.equal(await keysRotate({ data, forget: false }), 0)
    assert.match(said.at(-1)!, /1 former key is kept/)
    assert.ok(await isGood(before))
    const between = await cloud.login('demo')
    assert.equal(await keysRotate({ data, forget: true }), 0)
    assert.deepEqual([await isGood(before), await isGood(between)], [false, false])
    assert.ok(await isGood(await cloud.login('demo')))
  } finally {
    await rm(data, { recursive: true })
  }
})
