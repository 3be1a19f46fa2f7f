import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { fakeVolumes } from '../../volume/fixtures/fake-volumes.ts'
import { computeCloud, projects } from '../fixtures/compute-cloud.ts'

const v = '2.35'
const nobody = '99999999-0000-4000-8000-000000000000'

type Fault = Record<string, { code: number; message: string }>

test('a cloud without a volume service has no volumes, and says so cleanly', async () => {
  await using cloud = await computeCloud()
  for (const [what, noun] of [
    ['volumes', 'Volume'],
    ['snapshots', 'Snapshot'],
  ] as const) {
    for (const tail of ['', '/detail']) {
      const { status, body } = await cloud.call('alice', 'GET', `/os-${what}${tail}`, undefined, v)
      assert.deepEqual([status, body], [200, { [what]: [] }])
    }
    for (const method of ['GET', 'DELETE']) {
      const { status, body } = await cloud.call<Fault>('alice', method, `/os-${what}/${nobody}`, undefined, v)
      assert.deepEqual([status, body.itemNotFound!.message], [404, `${noun} ${nobody} could not be found.`])
    }
    assert.equal((await cloud.call('alice', 'GET', `/os-${what}`, undefined, '2.36')).status, 404)
  }
  const none = 'This cloud has no volume service.'
  const made = await cloud.call<Fault>('alice', 'POST', '/os-volumes', { volume: { size: 1 } }, v)
  assert.deepEqual([made.status, made.body.badRequest!.message], [400, none])
  const snap = await cloud.call<Fault>('alice', 'POST', '/os-snapshots', { snapshot: { volume_id: nobody } }, v)
  assert.deepEqual([snap.status, snap.body.badRequest!.message], [400, none])
})

onEachEngine("volumes and snapshots in compute's API are the volume service's", async database => {
  await using cloud = await computeCloud({ database })
  const volumes = await fakeVolumes(database)
  Object.assign(cloud.env.services, { volume: volumes })
  const wish = { size: '2', display_name: 'data', metadata: { a: 'b' } }
  const made = await cloud.call<{ volume: { id: string } }>('alice', 'POST', '/os-volumes', { volume: wish }, v)
  assert.equal(made.status, 200)
  const { id } = made.body.volume
  assert.equal(made.headers.location, `http://cloud.test/compute/v2.1/os-volumes/${id}`)
  const shown = await cloud.call<{ volume: Record<string, unknown> }>('alice', 'GET', `/os-volumes/${id}`, undefined, v)
  const { size, displayName, attachments, metadata, volumeType } = shown.body.volume
  assert.deepEqual([size, displayName, attachments, metadata, volumeType], [2, 'data', [{}], { a: 'b' }, null])
  await volumes.ready(cloud.ctx(), id, new AbortController().signal)

  const snapshot = { volume_id: id, display_name: 'then' }
  const taken = await cloud.call<{ snapshot: { id: string; size: number } }>(
    'alice',
    'POST',
    '/os-snapshots',
    { snapshot },
    v,
  )
  assert.deepEqual([taken.status, taken.body.snapshot.size], [200, 2])
  const snapshots = `/os-snapshots/${taken.body.snapshot.id}`
  const from = { volume: { size: 3, snapshot_id: taken.body.snapshot.id } }
  assert.equal((await cloud.call('alice', 'POST', '/os-volumes', from, v)).status, 200)
  const list = async (who: 'alice' | 'bob', query = '') =>
    (await cloud.call<{ volumes: unknown[] }>(who, 'GET', `/os-volumes/detail${query}`, undefined, v)).body.volumes
      .length
  assert.deepEqual([await list('alice'), await list('alice', '?limit=1'), await list('alice', '?offset=1')], [2, 1, 1])

  // Nobody else's, and readers change nothing.
  assert.equal(await list('bob'), 0)
  assert.equal((await cloud.call('bob', 'GET', `/os-volumes/${id}`, undefined, v)).status, 404)
  assert.equal((await cloud.call('bob', 'DELETE', snapshots, undefined, v)).status, 404)
  assert.equal((await cloud.call('reader', 'DELETE', `/os-volumes/${id}`, undefined, v)).status, 403)
  assert.equal((await cloud.call('reader', 'GET', snapshots, undefined, v)).status, 200)

  assert.equal((await cloud.call('alice', 'DELETE', snapshots, undefined, v)).status, 202)
  assert.equal((await cloud.call('alice', 'DELETE', `/os-volumes/${id}`, undefined, v)).status, 202)
  assert.equal((await cloud.call('alice', 'GET', `/os-volumes/${id}`, undefined, v)).status, 404)
  assert.deepEqual(
    (await volumes.all(cloud.ctx())).map(one => one.project_id),
    [projects.demo],
  )
})
