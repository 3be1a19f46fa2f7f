/** Databases that are not there. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { StartError } from './data-dir.ts'
import { openDatabase } from './database.ts'

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
