/** Stories of servers that boot from volumes, and of block device mappings. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Conflict } from '#kernel/errors.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import type { ServerCloud } from './fixtures/server-cloud.ts'
import { type Fault, volumeCloud } from './fixtures/volume-cloud.ts'
import { tiny } from './fixtures/world.ts'

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

test('a volume that cannot go stays and its server goes; what is no refusal is not hidden', async t => {
  await using cloud = await volumeCloud()
  const { member } = cloud
  const withVolume = async () => {
    const device = { source_type: 'blank', destination_type: 'volume', volume_size: 1, boot_index: -1 }
    const image = { source_type: 'image', uuid: tiny, boot_index: 0, destination_type: 'local' }
    return cloud.boot(member, { block_device_mapping_v2: [image, { ...device, delete_on_termination: true }] })
  }
  const [held, odd] = [await withVolume(), await withVolume()]
  const removal = t.mock.method(cloud.volumes, 'remove', async () => {
    throw new Conflict('Volume has snapshots.')
  })
  await cloud.remove(member, held.id)
  assert.equal((await cloud.api(member, 'GET', `/servers/${held.id}`)).status, 404)
  removal.mock.mockImplementation(async () => {
    throw new Error('a mistake of ours')
  })
  await cloud.remove(member, odd.id)
  assert.equal((await cloud.show(member, odd.id)).status, 'ERROR')
  removal.mock.restore()
  await cloud.remove(member, odd.id)
  assert.equal((await cloud.volumes.all(cloud.ctx())).length, 1, 'only the one that could not go')
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
