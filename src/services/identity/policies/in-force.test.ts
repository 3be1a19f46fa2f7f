/** Policies of the API that the cloud goes by, and what a bearer may do by them. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'
import { keptLog } from '../../../../test/kept-log.ts'

async function begin(cloud: TestCloud) {
  const token = await cloud.login('admin')
  const ask = <T>(method: string, path: string, body?: unknown) =>
    cloud.request<T>(method, `/identity/v3${path}`, { token, ...(body !== undefined && { body }) })
  const { body } = await ask<{ services: { id: string }[] }>('GET', '/services?type=compute')
  const at = (policy: string) => `/policies/${policy}/OS-ENDPOINT-POLICY/services/${body.services[0]!.id}`
  const create = async (blob: string, type = 'application/json') =>
    (await ask<{ policy: { id: string } }>('POST', '/policies', { policy: { blob, type } })).body.policy.id
  return { ask, at, create }
}

const nobody = '{"os_compute_api:os-keypairs:create": "!"}'

onEachEngine('a policy for a service of the cloud is taken up at once, and given up at once', async database => {
  await using cloud = await testCloud({ database })
  const { ask, at, create } = await begin(cloud)
  const { token } = await cloud.project('p')
  let count = 0
  const make = async () =>
    (
      await cloud.request('POST', '/compute/v2.1/os-keypairs', {
        token,
        body: { keypair: { name: `k${count++}` } },
      })
    ).status
  const may = async () => {
    const rule = 'os_compute_api:os-keypairs:create'
    const { body } = await cloud.request<{ permissions: { rule: string }[] }>(
      'GET',
      `/identity/v3/auth/permissions?rule=${rule}&rule=os_compute_api:os-keypairs:index`,
      { token },
    )
    return body.permissions.map(one => one.rule.split(':').at(-1))
  }
  const policy = await create(nobody)
  assert.deepEqual([await make(), await may()], [200, ['create', 'index']], 'it is for nobody yet')
  assert.equal((await ask('PUT', at(policy))).status, 204)
  assert.deepEqual([await make(), await may()], [403, ['index']])
  const other = { policy: { blob: 'os_compute_api:os-keypairs:create: "role:member"', type: 'text/yaml' } }
  assert.equal((await ask('PATCH', `/policies/${policy}`, other)).status, 200)
  assert.equal(await make(), 200)
  await ask('PATCH', `/policies/${policy}`, { policy: { blob: nobody } })
  assert.equal(await make(), 403)
  assert.equal((await ask('DELETE', at(policy))).status, 204)
  assert.equal(await make(), 200)
  await ask('PUT', at(policy))
  assert.equal(await make(), 403)
  assert.equal((await ask('DELETE', `/policies/${policy}`)).status, 204)
  assert.equal(await make(), 200)
})

test('what the cloud could not go by is refused, and what is for others is not looked at', async () => {
  await using cloud = await testCloud()
  const { ask, at, create } = await begin(cloud)
  for (const blob of [
    '{"x": "role:a or"}',
    '{"a": "rule:b", "b": "rule:a"}',
    'not a map',
    '{"x": "http://evil.test/"}',
  ]) {
    const { status, body } = await ask<{ error: { message: string } }>('PUT', at(await create(blob)))
    assert.equal(status, 400, blob)
    assert.ok(body.error.message.length > 10)
  }
  const good = await create(nobody)
  assert.equal((await ask('PUT', at(good))).status, 204)
  assert.equal((await ask('PATCH', `/policies/${good}`, { policy: { blob: '{"x": "role:a or"}' } })).status, 400)
  assert.equal((await ask('PUT', at(await create('<xacml/>', 'application/xml')))).status, 204)
  const { body } = await ask<{ service: { id: string } }>('POST', '/services', {
    service: { type: 'other', name: 'o' },
  })
  const elsewhere = `/policies/${await create('{"a": 1}')}/OS-ENDPOINT-POLICY/services/${body.service.id}`
  assert.equal(
    (await ask('PUT', elsewhere)).status,
    204,
    'a service that this cloud does not serve reads it as it likes',
  )
})

test('an admin who would lock itself out by a policy is told so', async () => {
  await using cloud = await testCloud()
  const { ask, at, create } = await begin(cloud)
  const out = [
    '{"identity:update_policy": "!"}',
    '{"context_is_admin": "role:nobody"}',
    '{"admin_required": "role:member and not role:admin"}',
  ]
  for (const blob of out) {
    const { status, body } = await ask<{ error: { message: string } }>('PUT', at(await create(blob)))
    assert.equal(status, 400, blob)
    assert.match(body.error.message, /identity:update_policy/)
  }
  const policy = await create(nobody)
  assert.equal((await ask('PUT', at(policy))).status, 204)
  assert.equal((await ask('PATCH', `/policies/${policy}`, { policy: { blob: out[0] } })).status, 400)
  assert.equal((await ask('DELETE', `/policies/${policy}`)).status, 204)
})

test('a policy goes by itself: it is refused when it needs rules of another, also where another is nearer', async () => {
  await using cloud = await testCloud()
  const { ask, at, create } = await begin(cloud)
  const { body } = await ask<{ services: { id: string }[] }>('GET', '/services?type=identity')
  const elsewhere = (policy: string) => `/policies/${policy}/OS-ENDPOINT-POLICY/services/${body.services[0]!.id}`
  const base = await create('{"keepers": "role:keeper", "os_compute_api:os-keypairs:create": "rule:keepers"}')
  assert.equal((await ask('PUT', elsewhere(base))).status, 204)
  const leaning = await create('{"os_compute_api:os-keypairs:delete": "rule:keepers"}')
  assert.equal((await ask('PUT', at(leaning))).status, 400)
  const { body: found } = await ask<{ endpoints: { id: string; service_id: string }[] }>('GET', '/endpoints')
  const fallback = await create(nobody)
  assert.equal((await ask('PUT', at(fallback))).status, 204)
  for (const { id, service_id } of found.endpoints) {
    if (!at(fallback).endsWith(service_id)) continue
    assert.equal((await ask('PUT', `/policies/${base}/OS-ENDPOINT-POLICY/endpoints/${id}`)).status, 204)
  }
  assert.equal((await ask('PATCH', `/policies/${fallback}`, { policy: { blob: '{"x": "role:a or"}' } })).status, 400)
})

test('when policy.yaml loses what rules of the API are made of, those go, by name in the log, and all others stay', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nephos-policies-'))
  const lines: Record<string, unknown>[] = []
  const open = (policyOverrides: Record<string, string>) =>
    testCloud({ database: openSqlite(join(folder, 'nephos.db')), policyOverrides, log: keptLog(lines) })
  const show = async (cloud: TestCloud, name: string) =>
    cloud.env.policy.describe().find(one => one.name === `os_compute_api:os-keypairs:${name}`)
  const rules = {
    'os_compute_api:os-keypairs:create': '!',
    keepers: 'role:keeper or rule:others',
    'os_compute_api:os-keypairs:delete': 'rule:keepers',
    'os_compute_api:os-keypairs:show': 'role:member',
  }
  try {
    let id: string
    {
      await using cloud = await open({ others: 'role:other' })
      const { ask, at, create } = await begin(cloud)
      id = await create(JSON.stringify(rules))
      assert.equal((await ask('PUT', at(id))).status, 204)
      assert.equal((await show(cloud, 'delete'))?.effective, 'rule:keepers')
    }
    await using cloud = await open({})
    assert.equal((await show(cloud, 'create'))?.effective, '!')
    assert.equal((await show(cloud, 'show'))?.effective, 'role:member')
    assert.notEqual((await show(cloud, 'delete'))?.effective, 'rule:keepers')
    const told = lines.filter(line => String(line.msg).includes('not in force'))
    assert.deepEqual(told.map(line => line.rule).sort(), ['keepers', 'os_compute_api:os-keypairs:delete'])
    assert.match(String(told[0]!.reason), /rule:others/)
    // It can be mended meanwhile, and others can be changed.
    const { ask, at, create } = await begin(cloud)
    const blob = JSON.stringify({ ...rules, keepers: 'role:keeper' })
    assert.equal((await ask('PATCH', `/policies/${id}`, { policy: { blob } })).status, 200)
    assert.equal((await show(cloud, 'delete'))?.effective, 'rule:keepers')
    assert.equal((await ask('PUT', at(await create(nobody)))).status, 204)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('who may do nothing is told so, and who may do more of more', async () => {
  await using cloud = await testCloud()
  const permissions = async (token: string) => {
    const { status, body } = await cloud.request<{ permissions: { rule: string }[] }>(
      'GET',
      '/identity/v3/auth/permissions',
      { token },
    )
    assert.equal(status, 200)
    return new Set(body.permissions.map(one => one.rule))
  }
  const member = await permissions((await cloud.project('m')).token)
  const reader = await permissions((await cloud.project('r', 'reader')).token)
  const admin = await permissions(await cloud.login('admin'))
  const create = 'os_compute_api:servers:create'
  assert.deepEqual(
    [reader, member, admin].map(rules => rules.has(create)),
    [false, true, true],
  )
  assert.deepEqual(
    [reader, member, admin].map(rules => rules.has('os_compute_api:servers:show')),
    [true, true, true],
  )
  assert.deepEqual(
    [reader, member, admin].map(rules => rules.has('identity:create_user')),
    [false, false, true],
  )
})
