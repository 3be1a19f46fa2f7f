/** What commands say of a cloud that they cannot ask. */
import assert from 'node:assert/strict'
import { mkdtempDisposableSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort } from '../../test/free-port.ts'
import { adminApi } from './admin-api.ts'
import { StartError } from './data-dir.ts'

test('a cloud that was killed, or is elsewhere, is named with what to do', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'nephos-admin-'))
  await assert.rejects(
    adminApi(folder.path),
    new StartError(`no cloud runs on ${folder.path}: start one with nephos up --data ${folder.path}`),
  )
  const url = `http://127.0.0.1:${await freePort()}`
  writeFileSync(join(folder.path, 'run.json'), JSON.stringify({ pid: 1, url }))
  writeFileSync(join(folder.path, 'clouds.yaml'), 'clouds: { nephos-admin: { auth: { password: p } } }')
  await assert.rejects(adminApi(folder.path), (error: unknown) => {
    assert.ok(error instanceof StartError)
    assert.match(error.message, new RegExp(`^the cloud at ${url} cannot be reached from here \\(.*ECONNREFUSED.*\\): `))
    assert.match(error.message, /nephos up --data/)
    return true
  })
})
