/** Secrets are written nowhere: not in the log at its wordiest, not in the database as they are, not in answers to others. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sql } from 'kysely'
import type { Database } from '../../src/kernel/db/database.ts'
import { openSqlite } from '../../src/kernel/db/sqlite.ts'
import { createLog } from '../../src/kernel/log.ts'
import { firstFlavors } from '../../src/services/compute/flavors/first.ts'
import { testCloud } from '../harness.ts'
import { extended, headersAt, surface, urlOf } from './surface.ts'

async function everythingStored(database: Database): Promise<string> {
  const { rows: tables } = await sql<{ name: string }>`select name from sqlite_master where type = 'table'`.execute(
    database.root,
  )
  const dumps = []
  for (const { name } of tables) dumps.push((await sql`select * from ${sql.table(name)}`.execute(database.root)).rows)
  return JSON.stringify(dumps)
}

test('passwords, tokens and keys are in no log line, and in the database only as hashes or sealed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'nephos-secrets-'))
  const file = join(directory, 'log')
  await using database = openSqlite(':memory:')
  const log = createLog({ level: 'trace', destination: file })
  const secrets: Record<string, string> = {}
  {
    await using cloud = await testCloud({
      log,
      set: extended,
      database: { ...database, [Symbol.asyncDispose]: async () => {} },
    })
    await firstFlavors(cloud.ctx())
    const { token, user_id, id } = await cloud.project('careless')
    const admin = await cloud.login('admin')
    Object.assign(secrets, { token, admin })
    const send = async (method: string, url: string, body: object, who = token) =>
      (await cloud.request<Record<string, Record<string, string>>>(method, url, { token: who, body })).body
    secrets['new password'] = 'correct-horse-battery'
    const user = { original_password: 'careless', password: secrets['new password'] }
    await send('POST', `/identity/v3/users/${user_id}/password`, { user })
    secrets['wrong password'] = 'wrong-horse-battery'
    await send('POST', `/identity/v3/users/${user_id}/password`, {
      user: { original_password: secrets['wrong password'], password: 'x' },
    })
    const logIn = (password: string) =>
      cloud.request('POST', '/identity/v3/auth/tokens', {
        body: { auth: { identity: { methods: ['password'], password: { user: { id: user_id, password } } } } },
      })
    await logIn(secrets['wrong password'])
    const fresh = (await logIn(secrets['new password'])).headers['x-subject-token']!
    secrets['fresh token'] = fresh
    const robots = `/identity/v3/users/${user_id}/application_credentials`
    const robot = await send('POST', robots, { application_credential: { name: 'robot' } }, fresh)
    secrets['application credential'] = robot.application_credential!.secret!
    secrets.blob = 'JBSWY3DPEHPK3PXPJBSWY3DP'
    await send(
      'POST',
      '/identity/v3/credentials',
      {
        credential: { type: 'totp', user_id, project_id: id, blob: secrets.blob },
      },
      fresh,
    )
    const pair = await send('POST', '/compute/v2.1/os-keypairs', { keypair: { name: 'k' } }, fresh)
    secrets['private key'] = pair.keypair!.private_key!.split('\n')[3]!
    secrets['admin password'] = 'a-password-for-the-guest'
    const server = { name: 's', flavorRef: '42', imageRef: id, networks: 'none', adminPass: secrets['admin password'] }
    await send('POST', '/compute/v2.1/servers', { server }, fresh)
    // Everything is asked once with each token, that errors be logged too.
    for (const one of surface) {
      if (one.operation.raw || one.operation.id === 'identity.tokens.revoke') continue
      await cloud.request(one.operation.method, urlOf(one), {
        token: fresh,
        headers: headersAt(one),
        body: [fresh],
      })
    }
    await cloud.request('GET', '/identity/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': fresh } })
  }
  log.flush()
  const written = await readFile(file, 'utf8')
  const stored = await everythingStored(database)
  await rm(directory, { recursive: true })
  assert.ok(written.split('\n').length > 50 && stored.length > 1000)
  for (const [what, secret] of Object.entries(secrets)) {
    assert.ok(secret.length > 10, what)
    assert.ok(!written.includes(secret), `${what} is in the log`)
    assert.ok(!stored.includes(secret), `${what} is in the database`)
  }
})
