/** kill -9 at any moment, then start: every accepted operation ends, nothing leaks. On simulated hosts here; on real guests in crash-real. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { call, login } from './http.ts'
import { createStage, missingForClient } from './stage.ts'

interface Server {
  id: string
  status: string
  'OS-EXT-STS:task_state': string | null
  fault?: { message: string }
}

test('killed at twenty random moments of creates and deletes, nothing is stuck and nothing leaks', {
  skip: missingForClient(),
  timeout: 600_000,
}, async () => {
  await using stage = await createStage({ flags: ['--simulated', '--hosts', '2'] })
  const admin = () => login(stage, 'nephos-admin')
  let token = await login(stage, 'nephos')
  const { body: imageList } = (await call<{ images: { id: string }[] }>(stage, 'GET', '/image/v2/images', token))!
  const { body: flavorList } = (await call<{ flavors: { id: string; name: string }[] }>(
    stage,
    'GET',
    '/compute/v2.1/flavors',
    token,
  ))!
  const { body: networkList } = (await call<{ networks: { id: string }[] }>(
    stage,
    'GET',
    '/network/v2.0/networks?name=private',
    token,
  ))!
  const server = {
    imageRef: imageList.images[0]!.id,
    flavorRef: flavorList.flavors.find(f => f.name === 'm1.nano')!.id,
    networks: [{ uuid: networkList.networks[0]!.id }],
  }
  const list = async () =>
    (await call<{ servers: Server[] }>(stage, 'GET', '/compute/v2.1/servers/detail', token))!.body.servers

  const accepted = new Set<string>()
  for (let round = 0; round < 20; round++) {
    const before = await list()
    const acts = [
      call<{ server: { id: string } }>(stage, 'POST', '/compute/v2.1/servers', token, {
        server: { ...server, name: `s${round}` },
      }).then(a => {
        if (a?.status === 202) accepted.add(a.body.server.id)
      }),
      ...before.slice(0, round % 3).map(s =>
        call(stage, 'DELETE', `/compute/v2.1/servers/${s.id}`, token).then(a => {
          // Without an answer it may have been accepted as well.
          if (!a || a.status === 204) accepted.delete(s.id)
        }),
      ),
    ]
    // curl needs some ten milliseconds to start; the work is done some thirty later.
    await sleep((round * 37) % 90)
    await stage.kill()
    await Promise.all(acts)
    await stage.up()
    token = await login(stage, 'nephos')
    await stage.until(
      `round ${round}: every server at rest`,
      async () =>
        (await list()).every(s => ['ACTIVE', 'ERROR'].includes(s.status) && s['OS-EXT-STS:task_state'] === null),
      { timeout: 30_000, every: 100 },
    )
    const there = new Set((await list()).map(s => s.id))
    for (const id of accepted) assert.ok(there.has(id), `round ${round}: server ${id} was accepted and is there`)
  }

  for (const s of await list()) {
    assert.equal(s.status, 'ACTIVE', s.fault?.message ?? 'no fault')
    await call(stage, 'DELETE', `/compute/v2.1/servers/${s.id}`, token)
  }
  await stage.until('all gone', async () => (await list()).length === 0, { every: 100 })
  const adminToken = await admin()
  const ports = await call<{ ports: { device_owner: string }[] }>(
    stage,
    'GET',
    '/network/v2.0/ports?device_owner=compute:nova',
    adminToken,
  )
  assert.deepEqual(ports?.body.ports, [])
  const { body } = (await call<{ resource_providers: { uuid: string }[] }>(
    stage,
    'GET',
    '/placement/resource_providers',
    adminToken,
  ))!
  assert.equal(body.resource_providers.length, 2)
  for (const { uuid } of body.resource_providers) {
    const usages = (await call<{ usages: Record<string, number> }>(
      stage,
      'GET',
      `/placement/resource_providers/${uuid}/usages`,
      adminToken,
    ))!.body.usages
    for (const used of Object.values(usages)) assert.equal(used, 0)
  }
  const limits = await call<{ limits: { absolute: Record<string, number> } }>(
    stage,
    'GET',
    '/compute/v2.1/limits',
    token,
  )
  assert.equal(limits?.body.limits.absolute.totalInstancesUsed, 0)
})

test('compiled code is kept once the cloud is up: a start after a kill does not compile everything again', {
  skip: missingForClient(),
}, async () => {
  await using stage = await createStage({ cold: true })
  const kept = join(stage.dir, 'compiled')
  process.env.NODE_COMPILE_CACHE = kept
  await stage.up(['--simulated'])
  const files = () => readdirSync(kept, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  await stage.until('it is kept', async () => files().length > 100, { timeout: 10_000, every: 50 })
  await stage.kill()
})
