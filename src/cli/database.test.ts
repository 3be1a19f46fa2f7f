/** Databases that are not there. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { StartError } from './data-dir.ts'
import { dbCheck, openDatabase } from './database.ts'
import { keysRotate } from './keys-rotate.ts'
import { trace } from './trace.ts'

test('a PostgreSQL server that is not there is missed in plain words', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  await assert.rejects(openDatabase({ database_url: `postgres://nobody@127.0.0.1:${port}/none` }, ''), error => {
    assert.ok(error instanceof StartError)
    assert.match(
      error.message,
      /^the PostgreSQL server of cloud.database_url was not reached \(.*ECONNREFUSED.*\): start it/,
    )
    return true
  })
})

test('commands that need a database say that none is kept here, and make none', async () => {
  const data = mkdtempSync(join(tmpdir(), 'nephos-no-database-'))
  try {
    const commands = [
      () => trace({ data, request: 'req-1' }),
      () => dbCheck({ data }),
      () => keysRotate({ data, forget: false }),
    ]
    for (const command of commands) {
      await assert.rejects(command(), error => {
        assert.ok(error instanceof StartError)
        assert.equal(
          error.message,
          `no database is kept in ${data}: give the --data of the cloud; one that is --ephemeral keeps none`,
        )
        return true
      })
    }
    assert.deepEqual(readdirSync(data), [])
  } finally {
    rmSync(data, { recursive: true })
  }
})
