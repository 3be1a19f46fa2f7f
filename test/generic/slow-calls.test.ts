/** What takes long in one request holds up no other: answers come while a host, a client or a question to a guest takes its time (S-042). */
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { type ServerCloud, serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { newWorld } from '../../src/services/compute/servers/fixtures/world.ts'
import type { TestProject } from '../harness.ts'

const lists = [
  ...['/compute/v2.1/servers', '/compute/v2.1/servers/detail', '/compute/v2.1/flavors', '/image/v2/images'],
  ...['/network/v2.0/networks', '/network/v2.0/ports', '/identity/v3/auth/projects'],
]

/** A hundred of each list at once; none waits for time to pass, as the clock stands still. */
async function listAll(cloud: ServerCloud, { token }: TestProject): Promise<void> {
  const asked = lists.flatMap(url => Array.from({ length: 100 }, () => cloud.request('GET', url, { token })))
  assert.deepEqual([...new Set((await Promise.all(asked)).map(answer => answer.status))], [200])
}

async function stage() {
  const clock = virtualClock()
  const cloud = await serverCloud({ world: await newWorld(clock) })
  return { clock, cloud, owner: await cloud.project('owner') }
}

test('while a host takes half a minute to start a guest', async () => {
  const { clock, cloud, owner } = await stage()
  await using _cloud = cloud
  const hit = new Promise<void>(resolve =>
    cloud.drivers.h1!.inject({ method: 'spawn', delayMs: 30_000, hit: () => resolve() }),
  )
  const id = await cloud.ask(owner)
  await hit
  await listAll(cloud, owner)
  assert.equal((await cloud.show(owner, id)).status, 'BUILD')
  await clock.advance(30_000)
  await cloud.env.sagas.idle()
  assert.equal((await cloud.show(owner, id)).status, 'ACTIVE')
})

test('while a host takes its time to answer a request that waits for it', async () => {
  const { clock, cloud, owner } = await stage()
  await using _cloud = cloud
  const { id } = await cloud.boot(owner)
  const hit = new Promise<void>(resolve =>
    cloud.drivers.h1!.inject({ method: 'diagnostics', delayMs: 5_000, hit: () => resolve() }),
  )
  const admin = await cloud.admin()
  let answered = false
  const slow = cloud.api(admin, 'GET', `/servers/${id}/diagnostics`).finally(() => {
    answered = true
  })
  await hit
  await listAll(cloud, owner)
  assert.equal(answered, false)
  await clock.advance(5_000)
  assert.equal((await slow).status, 200)
})

test('while a client sends an image in its own time', async () => {
  const { cloud, owner } = await stage()
  await using _cloud = cloud
  const body = { name: 'slow', disk_format: 'raw', container_format: 'bare' }
  const { token } = owner
  const { id } = (await cloud.request<{ id: string }>('POST', '/image/v2/images', { token, body })).body
  const bytes = new PassThrough()
  bytes.write('the first')
  const slow = cloud.http.inject({
    ...{ method: 'PUT', url: `/image/v2/images/${id}/file`, payload: bytes },
    headers: { host: 'cloud.test', 'x-auth-token': token, 'content-type': 'application/octet-stream' },
  })
  await listAll(cloud, owner)
  bytes.end(' and the last')
  assert.equal((await slow).statusCode, 204)
  const file = await cloud.request<string>('GET', `/image/v2/images/${id}/file`, { token })
  assert.equal(String(file.body), 'the first and the last')
})
