/** Stories of volumes that servers get, take along and lose. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { type Fault, volumeCloud } from './fixtures/volume-cloud.ts'

onEachEngine(
  'a volume is attached to a running server and detached, and the guest has it meanwhile',
  async database => {
    await using cloud = await volumeCloud(database)
    const { member } = cloud
    const server = await cloud.boot(member)
    const [first, second] = [await cloud.volume(), await cloud.volume({ size: 3 })]
    const made = await cloud.attach(server.id, first, { tag: 'logs' }, '2.79')
    const shown = { id: first, serverId: server.id, volumeId: first, device: '/dev/vdb', tag: 'logs' }
    assert.deepEqual([made.status, made.body.volumeAttachment], [200, { ...shown, delete_on_termination: false }])
    assert.deepEqual(
      await cloud.attach(server.id, second, { device: '/dev/vdd' }).then(one => [one.status, one.body]),
      [202, ''],
    )
    await cloud.env.sagas.idle()
    assert.deepEqual(cloud.diskIds('h1', server.id), [
      ['root', 'vda'],
      [first, 'vdb'],
      [second, 'vdd'],
    ])
    assert.deepEqual(await cloud.statusOf(first), ['in-use', ['h1']])
    const attached = (await cloud.show(member, server.id))['os-extended-volumes:volumes_attached']
    assert.deepEqual(
      attached,
      [first, second].map(id => ({ id, delete_on_termination: false })),
    )

    const path = `/servers/${server.id}/os-volume_attachments`
    const list = await cloud.api<{ volumeAttachments: Record<string, unknown>[] }>(
      member,
      'GET',
      `${path}?limit=1`,
      undefined,
      '2.89',
    )
    const [one] = list.body.volumeAttachments
    assert.deepEqual(Object.keys(one!).sort(), [
      'attachment_id',
      'bdm_uuid',
      'delete_on_termination',
      'device',
      'serverId',
      'tag',
      'volumeId',
    ])
    const old = await cloud.api<{ volumeAttachment: unknown }>(member, 'GET', `${path}/${second}`, undefined, '2.1')
    assert.deepEqual(old.body.volumeAttachment, {
      id: second,
      serverId: server.id,
      volumeId: second,
      device: '/dev/vdd',
    })

    const message = (answer: { body: Fault }) => Object.values(answer.body)[0]!.message
    assert.equal(
      message(await cloud.attach(server.id, first)),
      `Invalid volume: volume ${first} is already attached to instances: ${server.id}`,
    )
    const third = await cloud.volume()
    const taken = await cloud.attach(server.id, third, { device: '/dev/vdb' })
    assert.deepEqual([taken.status, message(taken)], [409, 'The supplied device path (/dev/vdb) is in use.'])
    assert.deepEqual(await cloud.statusOf(third), ['available', []])

    assert.equal((await cloud.api(member, 'DELETE', `${path}/${first}`)).status, 202)
    await cloud.env.sagas.idle()
    assert.deepEqual(await cloud.statusOf(first), ['available', []])
    assert.deepEqual(cloud.diskIds('h1', server.id), [
      ['root', 'vda'],
      [second, 'vdd'],
    ])
    const again = await cloud.api<Fault>(member, 'DELETE', `${path}/${first}`)
    assert.deepEqual([again.status, message(again)], [404, `Instance ${server.id} is not attached to volume ${first}`])
    await cloud.remove(member, server.id)
    assert.deepEqual(await cloud.statusOf(second), ['available', []])
  },
)

test('an attachment that the host refuses leaves the volume free, and detaching one that it refuses leaves it attached', async () => {
  await using cloud = await volumeCloud()
  const server = await cloud.boot(cloud.member)
  const volume = await cloud.volume()
  cloud.drivers.h1!.inject({ method: 'attachDisk', error: 'no slot is free' })
  assert.equal((await cloud.attach(server.id, volume)).status, 202)
  await cloud.env.sagas.idle()
  assert.deepEqual(await cloud.statusOf(volume), ['available', []])
  const after = await cloud.show(cloud.member, server.id)
  assert.deepEqual([after.status, after['os-extended-volumes:volumes_attached']], ['ACTIVE', []])

  await cloud.attach(server.id, volume)
  await cloud.env.sagas.idle()
  cloud.drivers.h1!.inject({ method: 'detachDisk', error: 'the answer is lost', afterwards: true })
  const path = `/servers/${server.id}/os-volume_attachments/${volume}`
  assert.equal((await cloud.api(cloud.member, 'DELETE', path)).status, 202)
  await cloud.env.sagas.idle()
  assert.deepEqual(await cloud.statusOf(volume), ['in-use', ['h1']])
  assert.deepEqual(cloud.diskIds('h1', server.id).length, 2)
})

test('volumes follow a server that moves, is shelved and comes back', async () => {
  await using cloud = await volumeCloud(undefined, { hosts: ['h1', 'h2'] })
  const { member } = cloud
  const admin = await cloud.admin()
  const server = await cloud.boot(member)
  const [source, target] = server.id && (await cloud.row(server.id)).host === 'h1' ? ['h1', 'h2'] : ['h2', 'h1']
  const volume = await cloud.volume()
  await cloud.attach(server.id, volume)
  await cloud.env.sagas.idle()
  const act = async (body: object) => {
    const answer = await cloud.api<Fault>(admin, 'POST', `/servers/${server.id}/action`, body)
    assert.ok([202, 204].includes(answer.status), JSON.stringify(answer.body))
    await cloud.env.sagas.idle()
  }
  await act({ 'os-migrateLive': { host: target, block_migration: 'auto' } })
  assert.deepEqual(await cloud.statusOf(volume), ['in-use', [target]])
  await act({ migrate: { host: source } })
  assert.deepEqual(await cloud.statusOf(volume), ['in-use', [target, source]])
  await act({ confirmResize: null })
  assert.deepEqual(await cloud.statusOf(volume), ['in-use', [source]])
  await act({ shelve: null })
  assert.deepEqual(await cloud.statusOf(volume), ['in-use', []])
  const more = await cloud.volume()
  assert.equal((await cloud.attach(server.id, more)).status, 202)
  assert.equal((await cloud.attach(server.id, await cloud.volume(), { tag: 'x' })).status, 400)
  assert.equal((await cloud.attach(server.id, await cloud.volume(), {}, '2.19')).status, 409)
  await act({ unshelve: { availability_zone: 'nova' } })
  const { host } = await cloud.row(server.id)
  assert.deepEqual(
    [await cloud.statusOf(volume), await cloud.statusOf(more)],
    [
      ['in-use', [host]],
      ['in-use', [host]],
    ],
  )
  assert.equal(cloud.diskIds(host!, server.id).length, 3)
})

test('the volume service puts another volume in the place of one that it moves; nobody else may', async () => {
  await using cloud = await volumeCloud()
  const { member } = cloud
  const admin = await cloud.admin()
  const server = await cloud.boot(member)
  const [old, next] = [await cloud.volume({ migration_status: 'migrating' }), await cloud.volume()]
  await cloud.attach(server.id, old)
  await cloud.env.sagas.idle()
  cloud.drivers.h1!.write(server.id, old, 'kept')
  const swap = (who: { token: string }, from: string, to: string) =>
    cloud.api<Fault>(who, 'PUT', `/servers/${server.id}/os-volume_attachments/${from}`, {
      volumeAttachment: { volumeId: to },
    })
  assert.equal((await swap(member, old, next)).status, 403)
  assert.equal(
    (await swap(admin, old, await cloud.volume({ size: 0 }))).body.badRequest!.message,
    'Invalid volume: New volume must be the same size or larger.',
  )
  assert.equal((await swap(admin, old, next)).status, 202)
  await cloud.env.sagas.idle()
  assert.deepEqual(
    [await cloud.statusOf(old), await cloud.statusOf(next)],
    [
      ['available', []],
      ['in-use', ['h1']],
    ],
  )
  assert.deepEqual(cloud.world.guests.h1!.get(server.id)!.disks[next]!.contents, ['kept'])
  assert.equal((await swap(admin, next, old)).status, 409)
  const change = { volumeAttachment: { volumeId: next, delete_on_termination: true } }
  const path = `/servers/${server.id}/os-volume_attachments/${next}`
  assert.equal((await cloud.api(member, 'PUT', path, change)).status, 202)
  assert.equal((await cloud.api(member, 'PUT', path, { volumeAttachment: { volumeId: next, tag: 'new' } })).status, 400)
  await cloud.remove(member, server.id)
  assert.deepEqual(await cloud.statusOf(next), undefined)
})

onEachEngine(
  'volumes go to servers of the compute service that the catalog names as partner (S-286)',
  async database => {
    await using cloud = await volumeCloud(database)
    const { member } = cloud
    const admin = await cloud.login('admin')
    type Service = { id: string; type: string; 'nephos:partner'?: string }
    const identity = async <T>(method: string, path: string, body?: object) =>
      (await cloud.request<T>(method, `/identity/v3${path}`, { token: admin, ...(body && { body }) })).body
    const add = async (service: object, url: string) => {
      const { id } = (await identity<{ service: Service }>('POST', '/services', { service })).service
      const endpoint = { service_id: id, region_id: 'RegionOne', interface: 'public', url }
      await identity('POST', '/endpoints', { endpoint })
      return id
    }
    const { services } = await identity<{ services: Service[] }>('GET', '/services?type=compute')
    const ours = services[0]!.id
    const other = await add({ type: 'compute', name: 'nova-b' }, 'http://b.test/compute/v2.1')
    const mine = { type: 'volumev3', name: 'cinder-a', 'nephos:partner': other }
    const volumes = await add(mine, '%(base)s/volume/v3')
    const { catalog } = await identity<{ catalog: Service[] }>('GET', '/auth/catalog')
    assert.equal(catalog.find(one => one.id === volumes)?.['nephos:partner'], other)

    const server = await cloud.boot(member)
    const id = await cloud.volume()
    const refused = await cloud.attach(server.id, id)
    assert.equal(refused.status, 400)
    const message = refused.body.badRequest!.message
    assert.match(message, /The service cinder-a goes with nova-b \(\w+\), not with the compute service here/)
    assert.deepEqual(await cloud.statusOf(id), ['available', []])

    await identity('PATCH', `/services/${volumes}`, { service: { 'nephos:partner': ours } })
    assert.equal((await cloud.attach(server.id, id)).status, 202)
  },
)
