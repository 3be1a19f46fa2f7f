import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '#kernel/db/database.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { fakeVolumes } from '../../volume/fixtures/fake-volumes.ts'
import { type ServerCloud, type ServerCloudOptions, serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, tiny } from './fixtures/world.ts'

type Fault = Record<string, { message: string }>

async function volumeCloud(database?: Database, options: ServerCloudOptions = {}) {
  const world = options.world ?? (await newWorld(undefined, database))
  const cloud = await serverCloud({ ...options, world })
  const volumes = await fakeVolumes(world.database)
  Object.assign(cloud.env.services, { volume: volumes })
  const member = await cloud.project('owner')
  return Object.assign(cloud, {
    volumes,
    member,
    /** A volume of the member's. */
    volume: async (patch = {}) => (await volumes.put(cloud.ctx(), { project_id: member.id, ...patch })).id,
    async statusOf(id: string) {
      const found = (await volumes.all(cloud.ctx())).find(one => one.id === id)
      return found && [found.status, found.hosts.map(one => one.host)]
    },
    attach: (server: string, volumeId: string, more = {}, version = 'latest') =>
      cloud.api<Fault & { volumeAttachment: Record<string, unknown> }>(
        member,
        'POST',
        `/servers/${server}/os-volume_attachments`,
        { volumeAttachment: { volumeId, ...more } },
        version,
      ),
    diskIds: (host: string, server: string) =>
      cloud.world.guests[host]!.get(server)!.spec.disks.map(disk => [disk.id, disk.device_name]),
  })
}

const refusalOf = async (cloud: ServerCloud, who: { token: string }, patch: object, version = 'latest') => {
  const { status, body } = await cloud.api<Fault>(
    who,
    'POST',
    '/servers',
    { server: cloud.newServer(patch as Record<string, unknown>) },
    version,
  )
  return [status, Object.values(body)[0]?.message]
}

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

onEachEngine('a server boots from a volume made of an image, with disks of its own', async database => {
  await using cloud = await volumeCloud(database)
  const { member } = cloud
  const admin = await cloud.admin()
  const flavor = { id: 'eph', name: 'eph', ram: 64, vcpus: 1, disk: 5, 'OS-FLV-EXT-DATA:ephemeral': 4, swap: 512 }
  assert.equal((await cloud.api(admin, 'POST', '/flavors', { flavor })).status, 200)
  const root = {
    source_type: 'image',
    destination_type: 'volume',
    uuid: tiny,
    boot_index: 0,
    volume_size: 2,
    tag: 'root',
  }
  const block_device_mapping_v2 = [
    { ...root, delete_on_termination: true },
    { source_type: 'blank', destination_type: 'volume', volume_size: 1, volume_type: 'fast', boot_index: -1 },
    { source_type: 'blank', destination_type: 'local', volume_size: 3 },
    { source_type: 'blank', destination_type: 'local', volume_size: 1 },
    { source_type: 'blank', destination_type: 'local', guest_format: 'swap', volume_size: 256 },
  ]
  const server = await cloud.boot(member, { imageRef: undefined, flavorRef: 'eph', block_device_mapping_v2 })
  assert.deepEqual([server.status, server.image, server.fault], ['ACTIVE', '', undefined])
  const guest = cloud.world.guests.h1!.get(server.id)!
  const [boot] = guest.spec.disks
  assert.deepEqual([boot!.boot_index, boot!.source.type, boot!.size_gb], [0, 'volume', 2])
  assert.deepEqual(
    guest.spec.disks.slice(1).map(({ id, size_gb, source }) => [source.type === 'volume' ? 'volume' : id, size_gb]),
    [
      ['ephemeral0', 3],
      ['ephemeral1', 1],
      ['swap', 0.25],
      ['volume', 1],
    ],
  )
  // Its root disk takes no room of the host.
  assert.deepEqual((await cloud.allocated(server.id)).h1!.DISK_GB, 5)
  const all = await cloud.volumes.all(cloud.ctx())
  assert.deepEqual(
    all.map(one => one.status),
    ['in-use', 'in-use'],
  )

  const path = `/servers/${server.id}/os-volume_attachments/${boot!.id}`
  const detach = await cloud.api<Fault>(member, 'DELETE', path)
  assert.deepEqual([detach.status, detach.body.badRequest!.message], [400, 'Cannot detach a root device volume'])
  await cloud.remove(member, server.id)
  // The one that was to go with it has gone; the other one stays.
  assert.deepEqual(
    (await cloud.volumes.all(cloud.ctx())).map(one => [one.status, one.volume_type]),
    [['available', 'fast']],
  )
})

test('what is wrong with a block device mapping is said in the words that clients know', async () => {
  await using cloud = await volumeCloud()
  const { member } = cloud
  const refused = (device: object | object[], patch: object = { imageRef: undefined }) =>
    refusalOf(cloud, member, { ...patch, block_device_mapping_v2: [device].flat() })
  const bad = (text: string) => [400, `Block Device Mapping is Invalid: ${text}`]
  const none = '99999999-0000-4000-8000-000000000000'
  const plain = await cloud.volume()
  const bootable = await cloud.volume({ bootable: true })
  const from = (uuid: string, more = {}) => ({
    source_type: 'volume',
    uuid,
    boot_index: 0,
    destination_type: 'volume',
    ...more,
  })
  assert.deepEqual(await refused(from(none)), bad(`failed to get volume ${none}.`))
  assert.deepEqual(await refused(from(plain)), [400, `Block Device ${plain} is not bootable.`])
  assert.deepEqual(await refused({ source_type: 'volume', boot_index: 0 }), bad('Missing device UUID.'))
  assert.deepEqual(await refused({ source_type: 'blank', uuid: none }), bad('Invalid device UUID.'))
  assert.deepEqual(
    await refused(from(bootable, { boot_index: 1 })),
    bad('Boot sequence for the instance and image/block device mapping combination is not valid.'),
  )
  assert.deepEqual(
    await refused({ source_type: 'snapshot', uuid: none, boot_index: 0 }),
    bad(`failed to get snapshot ${none}.`),
  )
  assert.deepEqual(
    await refused({ source_type: 'image', uuid: tiny, boot_index: 0 }),
    bad('Mapping image to local is not supported.'),
  )
  assert.deepEqual(await refused({ source_type: 'image', uuid: tiny, boot_index: 0, destination_type: 'volume' }), [
    400,
    "Images with destination_type 'volume' need to have a non-zero size specified",
  ])
  assert.deepEqual(
    await refused(from(bootable, { volume_type: 'fast' })),
    bad('Specifying volume type to existing volume is not supported.'),
  )
  const image = { source_type: 'image', uuid: tiny, boot_index: 0, destination_type: 'local' }
  assert.deepEqual(await refused([image, { source_type: 'blank', destination_type: 'volume' }], {}), [
    400,
    "Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size",
  ])
  assert.deepEqual(await refused([image, { source_type: 'blank', guest_format: 'swap', volume_size: 1 }], {}), [
    400,
    'Swap drive requested is larger than instance type allows.',
  ])
  assert.deepEqual(await refused([image, from(plain, { boot_index: -1 })], { max_count: 2 }), [
    400,
    'Cannot attach one or more volumes to multiple instances',
  ])
  const both = { block_device_mapping: [{ device_name: 'vda', volume_id: bootable }], imageRef: undefined }
  assert.deepEqual(await refused(from(bootable), both), [
    400,
    'Using different block_device_mapping syntaxes is not allowed in the same request.',
  ])
  const shared = await cloud.volume({ bootable: true, multiattach: true })
  assert.deepEqual(
    await refusalOf(cloud, member, { imageRef: undefined, block_device_mapping_v2: [from(shared)] }, '2.59'),
    [400, 'Multiattach volumes are only supported starting with compute API version 2.60.'],
  )
  // Nothing was reserved for any of it.
  assert.deepEqual(
    (await cloud.volumes.all(cloud.ctx())).map(one => one.status),
    ['available', 'available', 'available'],
  )
})

test('the form from before version 2 of the mapping boots from a volume as well', async () => {
  await using cloud = await volumeCloud()
  const [root, data] = [await cloud.volume({ bootable: true }), await cloud.volume()]
  const block_device_mapping = [
    { device_name: 'vda', volume_id: root, delete_on_termination: '1' },
    { device_name: 'vdc', volume_id: data },
  ]
  const server = await cloud.boot(cloud.member, { imageRef: undefined, block_device_mapping })
  assert.deepEqual(cloud.diskIds('h1', server.id), [
    [root, 'vda'],
    [data, 'vdc'],
  ])
  await cloud.remove(cloud.member, server.id)
  assert.deepEqual([await cloud.statusOf(root), await cloud.statusOf(data)], [undefined, ['available', []]])
})

test('a volume that cannot be made fails its server, which holds nothing then', async () => {
  await using cloud = await volumeCloud()
  cloud.volumes.failNext('ready', 'Invalid volume: the backend is full.')
  const root = { source_type: 'image', destination_type: 'volume', uuid: tiny, boot_index: 0, volume_size: 2 }
  const server = await cloud.boot(cloud.member, { imageRef: undefined, block_device_mapping_v2: [root] })
  assert.deepEqual([server.status, server['os-extended-volumes:volumes_attached']], ['ERROR', []])
  assert.match(server.fault.message, /the backend is full/)
  assert.deepEqual(
    (await cloud.volumes.all(cloud.ctx())).map(one => one.attachments),
    [[]],
  )
  await cloud.remove(cloud.member, server.id)
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
