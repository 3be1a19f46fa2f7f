/** `nephos serve` as operators run it: a second node of a cloud, with an image cache of its own. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { natsBinary, startNats, stopNats } from '#kernel/bus/fixtures/nats-server.ts'
import { logIn, startCloud, startNode } from '../../test/conformance/cloud.ts'

const skip = natsBinary === undefined && 'needs nats-server'

interface Cache {
  cached_images: { image_id: string }[]
}

test('a second node knows what the first does, and keeps a cache of its own', { skip, timeout: 180_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-serve-'))
  const nats = await startNats(folder)
  try {
    const settings = { cloud: { nats_url: `nats://127.0.0.1:${nats.port}`, bus_key: 'k'.repeat(40) } }
    await using cloud = await startCloud({ flags: ['--simulated', '--hosts', '1'], settings })
    await using node = await startNode(cloud, 'second')
    await assert.rejects(startNode(cloud, 'second'), /a node second is running: give another --node/)
    const admin = await logIn(cloud)
    const { token } = admin
    const ask = async (path: string, init: RequestInit = {}) => {
      const answer = await fetch(node.url + path, { ...init, headers: { 'x-auth-token': token, ...init.headers } })
      assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`)
      return answer
    }
    const { id } = await admin.post<{ id: string }>('image', '/v2/images', {
      disk_format: 'raw',
      container_format: 'bare',
    })
    const headers = { 'content-type': 'application/octet-stream' }
    await admin.request('image', `/v2/images/${id}/stage`, { method: 'PUT', headers, body: 'staged at the first' })
    const body = JSON.stringify({ method: { name: 'glance-direct' } })
    const json = { 'content-type': 'application/json' }
    await ask(`/image/v2/images/${id}/import`, { method: 'POST', headers: json, body })
    const active = async () => ((await (await ask(`/image/v2/images/${id}`)).json()) as { status: string }).status
    for (let tries = 0; (await active()) !== 'active'; tries++) {
      assert.ok(tries < 300, 'the import that was asked for at the second node ends')
      await sleep(100)
    }
    assert.equal(await (await ask(`/image/v2/images/${id}/file`)).text(), 'staged at the first')

    const here = async () => ids((await (await ask('/image/v2/cache')).json()) as Cache)
    const there = async () => ids(await admin.get<Cache>('image', '/v2/cache'))
    const ids = (cache: Cache) => cache.cached_images.map(image => image.image_id)
    await ask(`/image/v2/cache/${id}`, { method: 'PUT' })
    for (let tries = 0; (await here()).length === 0; tries++) {
      assert.ok(tries < 300, 'the second node caches by itself')
      await sleep(100)
    }
    assert.deepEqual([await here(), await there()], [[id], []])
    await admin.request('image', `/v2/cache/${id}`, { method: 'PUT' })
    for (let tries = 0; (await there()).length === 0; tries++) {
      assert.ok(tries < 300, 'so does the first')
      await sleep(100)
    }
    await ask('/image/v2/cache', { method: 'DELETE' })
    assert.deepEqual([await here(), await there()], [[], [id]])

    await ask(`/image/v2/images/${id}`, { method: 'DELETE' })
    await assert.rejects(admin.get('image', `/v2/images/${id}`), /404/)
    const revoked = { method: 'DELETE', headers: { 'x-subject-token': token } }
    await admin.request('identity', '/auth/tokens', revoked)
    assert.equal((await fetch(`${node.url}/image/v2/images`, { headers: { 'x-auth-token': token } })).status, 401)
  } finally {
    await stopNats(nats.child)
    rmSync(folder, { recursive: true })
  }
})
