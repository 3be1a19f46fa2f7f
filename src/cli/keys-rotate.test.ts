/** New keys for tokens, by command. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
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

test('a command waits for its turn to write, for as long as others do', async () => {
  const data = await mkdtemp(join(tmpdir(), 'nephos-keys-'))
  try {
    await using _cloud = await testCloud({ database: openSqlite(join(data, 'nephos.db')) })
    using other = new DatabaseSync(join(data, 'nephos.db'))
    other.exec('begin immediate')
    const command = [join(import.meta.dirname, '../main.ts'), 'keys', 'rotate', '--data', data]
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'pipe'] })
    const ended = Promise.all([text(child.stderr), once(child, 'exit')])
    await Promise.race([ended, setTimeout(1500)])
    other.exec('rollback')
    const [said, [code]] = await ended
    assert.deepEqual([said, code], ['', 0])
  } finally {
    await rm(data, { recursive: true })
  }
})
