/** Stories of notifications: what is done to servers is told in both of upstream's formats, with its names and members. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Notification } from '#kernel/events/notification.ts'
import { tellTaskError } from '../choice-events.ts'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'
import { tiny } from '../servers/fixtures/world.ts'
import { updateServer } from '../servers/store.ts'

type Told = Notification & { payload: { 'nova_object.data': Record<string, unknown> } }

async function listened(options: Parameters<typeof serverCloud>[0] = {}) {
  const cloud = await serverCloud(options)
  const [old, versioned]: [Notification[], Told[]] = [[], []]
  cloud.env.bus.subscribe('notifications.*', payload => void old.push(payload as Notification))
  cloud.env.bus.subscribe('versioned_notifications.*', payload => void versioned.push(payload as Told))
  const demo = await cloud.project('p1')
  return {
    cloud,
    demo,
    admin: await cloud.admin(),
    old,
    versioned,
    names: () => versioned.splice(0).map(told => told.event_type),
    oldNames: () => old.splice(0).map(told => told.event_type),
    async act(id: string, body: unknown, who = demo) {
      const { status } = await cloud.api(who, 'POST', `/servers/${id}/action`, body)
      await cloud.env.sagas.idle()
      return status
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

const phases = (...actions: string[]) =>
  actions.flatMap(action => [`instance.${action}.start`, `instance.${action}.end`])

test('a server is created and deleted: start and end, with who asked, where it is and its addresses', async () => {
  await using s = await listened()
  const server = await s.cloud.boot(s.demo, { tags: ['blue'], metadata: { a: 'b' } })
  const [start, end] = s.versioned
  assert.deepEqual([start!.event_type, end!.event_type], phases('create'))
  assert.deepEqual([start!.priority, start!.publisher_id], ['INFO', 'nova-compute:h1'])
  assert.equal(end!.payload['nova_object.name' as never], 'InstanceCreatePayload')
  const data = end!.payload['nova_object.data']
  const expected = { uuid: server.id, tenant_id: s.demo.id, action_initiator_project: s.demo.id, host: 'h1' }
  for (const [member, value] of Object.entries(expected)) assert.equal(data[member], value, member)
  assert.deepEqual([data.state, data.power_state, data.task_state, data.image_uuid], ['active', 'running', null, tiny])
  assert.deepEqual([data.tags, data.metadata, data.fault], [['blue'], { a: 'b' }, null])
  assert.equal(data.block_devices, null, 'not asked for')
  const [ip] = data.ip_addresses as { 'nova_object.data': { address: string; label: string } }[]
  assert.equal(ip!['nova_object.data'].address, server.addresses.private[0].addr)
  assert.equal(end!._context_request_id, data.request_id)
  assert.deepEqual(start!.payload['nova_object.data'].ip_addresses, [])
  const [oldStart, oldEnd] = s.old
  assert.deepEqual(
    [oldStart!.event_type, oldEnd!.event_type],
    ['compute.instance.create.start', 'compute.instance.create.end'],
  )
  assert.deepEqual(
    [oldEnd!.payload.instance_id, oldEnd!.payload.state, oldEnd!.payload.memory_mb],
    [server.id, 'active', 128],
  )
  assert.match(String(oldEnd!.payload.launched_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)

  s.names()
  s.oldNames()
  await s.cloud.remove(s.demo, server.id)
  const gone = s.versioned.at(-1)!.payload['nova_object.data']
  assert.deepEqual([gone.state, gone.deleted_at !== null], ['deleted', true])
  const names = ['instance.delete.start', 'instance.shutdown.start', 'instance.shutdown.end', 'instance.delete.end']
  assert.deepEqual(s.names(), names)
  assert.deepEqual(
    s.oldNames(),
    names.map(name => `compute.${name}`),
  )
})

test('every action tells of its start and its end', async () => {
  await using s = await listened({ hosts: ['h1', 'h2'] })
  const { id } = await s.cloud.boot(s.demo)
  const story: [unknown, string[]][] = [
    [{ 'os-stop': null }, phases('power_off')],
    [{ 'os-start': null }, phases('power_on')],
    [{ 'power-off': null }, phases('power_off')],
    [{ 'power-on': null }, phases('power_on')],
    [{ pause: null }, phases('pause')],
    [{ unpause: null }, phases('unpause')],
    [{ suspend: null }, phases('suspend')],
    [{ resume: null }, phases('resume')],
    [{ reboot: { type: 'HARD' } }, phases('reboot')],
    [{ rebuild: { imageRef: tiny } }, phases('rebuild')],
    [{ rescue: null }, phases('rescue')],
    [{ unrescue: null }, phases('unrescue')],
    [{ createImage: { name: 'i' } }, phases('snapshot')],
    [{ resize: { flavorRef: '84' } }, phases('resize_prep', 'resize', 'resize_finish')],
    [{ revertResize: null }, phases('resize_revert')],
    [{ resize: { flavorRef: '84' } }, phases('resize_prep', 'resize', 'resize_finish')],
    [{ confirmResize: null }, phases('resize_confirm')],
    [
      { shelve: null },
      ['shelve.start', 'shelve_offload.start', 'shelve.end', 'shelve_offload.end'].map(e => `instance.${e}`),
    ],
    [{ unshelve: null }, phases('unshelve')],
    [{ lock: null }, ['instance.lock']],
    [{ unlock: null }, ['instance.unlock']],
  ]
  s.names()
  for (const [body, expected] of story) {
    assert.ok((await s.act(id, body)) < 300, JSON.stringify(body))
    assert.deepEqual(s.names().sort(), [...expected].sort(), JSON.stringify(body))
  }
  assert.equal(await s.act(id, { 'os-migrateLive': { host: null, block_migration: 'auto' } }, s.admin), 202)
  assert.deepEqual(s.names(), phases('live_migration_pre', 'live_migration_post', 'live_migration_post_dest'))
  await s.cloud.api(s.demo, 'PUT', `/servers/${id}`, { server: { name: 'renamed' } })
  const renamed = s.versioned.at(-1)!
  assert.equal(renamed.event_type, 'instance.update')
  const data = renamed.payload['nova_object.data']
  assert.deepEqual([data.display_name, data.old_display_name], ['renamed', 'vm'])
})

test('one failure is one error event and one fault, with the id of the request', async () => {
  await using s = await listened({ faults: { h1: [{ method: 'pause', error: 'the host is on fire' }] } })
  const { id } = await s.cloud.boot(s.demo)
  s.names()
  const answer = await s.cloud.api(s.demo, 'POST', `/servers/${id}/action`, { pause: null })
  await s.cloud.env.sagas.idle()
  const [start, error, ...more] = s.versioned
  assert.deepEqual(
    [start!.event_type, error!.event_type, more.length],
    ['instance.pause.start', 'instance.pause.error', 0],
  )
  assert.equal(error!.priority, 'ERROR')
  assert.equal(error!._context_request_id, answer.headers['x-openstack-request-id'])
  const fault = error!.payload['nova_object.data'].fault as Told['payload']
  assert.match(String(fault['nova_object.data'].exception_message), /on fire/)
  assert.equal((await s.cloud.row(id)).fault?.code, 500)
  assert.equal(s.old.filter(told => told.event_type.endsWith('.error')).length, 1)
})

test('a server that no host can take is told of as an error', async () => {
  await using s = await listened({ memoryMb: 600 })
  await s.cloud.boot(s.demo, { flavorRef: '3' })
  const task = 'compute_task.build_instances.error'
  assert.deepEqual(s.names(), ['instance.create.start', task, 'instance.create.error'])
})

test('what fails since its flavor names a device that is not configured any more is told of', async () => {
  await using s = await listened()
  const { id } = await s.cloud.boot(s.demo)
  const { flavor } = await s.cloud.row(id)
  s.versioned.length = 0
  await s.cloud.ctx().transaction(async tx => {
    await updateServer(tx, id, { flavor: { ...flavor, extra_specs: { 'pci_passthrough:alias': 'gone:1' } } })
    await tellTaskError(tx, 'build_instances', id, { exception: 'NoValidHost', message: 'none', step: '', details: '' })
  })
  await s.cloud.env.sagas.idle()
  assert.deepEqual(s.names(), ['compute_task.build_instances.error'])
})

test('aggregates, flavors, key pairs, groups and services are told of', async () => {
  await using s = await listened()
  s.names()
  s.oldNames()
  const { api } = s.cloud
  const { body } = await api<{ aggregate: { id: number } }>(s.admin, 'POST', '/os-aggregates', {
    aggregate: { name: 'a' },
  })
  const path = `/os-aggregates/${body.aggregate.id}`
  await api(s.admin, 'POST', `${path}/action`, { add_host: { host: 'h1' } })
  await api(s.admin, 'POST', `${path}/action`, { set_metadata: { metadata: { ssd: 'true' } } })
  await api(s.admin, 'POST', `${path}/action`, { remove_host: { host: 'h1' } })
  await api(s.admin, 'DELETE', path)
  const both = (name: string) => [`${name}.start`, `${name}.end`]
  const verbs = ['create', 'add_host', 'update_metadata', 'remove_host', 'delete']
  assert.deepEqual(
    s.names(),
    verbs.flatMap(verb => both(`aggregate.${verb}`)),
  )
  assert.deepEqual(s.oldNames().slice(2, 4), both('aggregate.addhost'))

  const flavor = { name: 'f', id: 'f', ram: 64, vcpus: 1, disk: 1 }
  await api(s.admin, 'POST', '/flavors', { flavor })
  await api(s.admin, 'DELETE', '/flavors/f')
  assert.deepEqual(s.names(), ['flavor.create', 'flavor.delete'])
  await api(s.demo, 'POST', '/os-keypairs', { keypair: { name: 'k' } }, '2.91')
  await api(s.demo, 'DELETE', '/os-keypairs/k')
  assert.deepEqual(s.names(), [...both('keypair.create'), ...both('keypair.delete')])
  const group = { name: 'g', policy: 'anti-affinity', rules: { max_server_per_host: 2 } }
  const made = await api<{ server_group: { id: string } }>(s.demo, 'POST', '/os-server-groups', { server_group: group })
  const rules = s.versioned.at(-1)!.payload['nova_object.data'].rules
  assert.deepEqual(rules, { max_server_per_host: '2' })
  await api(s.demo, 'DELETE', `/os-server-groups/${made.body.server_group.id}`)
  assert.deepEqual(s.names(), ['server_group.create', 'server_group.delete'])
  const services = await api<{ services: { id: string }[] }>(s.admin, 'GET', '/os-services')
  await api(s.admin, 'PUT', `/os-services/${services.body.services[0]!.id}`, { status: 'disabled' })
  assert.deepEqual(s.names(), ['service.update'])
})

test('the old format names flavors by numbers, which they get when they are made', async () => {
  await using s = await listened()
  const flavor = { name: 'f', id: 'f', ram: 64, vcpus: 1, disk: 1 }
  await s.cloud.api(s.admin, 'POST', '/flavors', { flavor })
  const numberOf = () => s.old.at(-1)!.payload.instance_type_id as number
  const { id } = await s.cloud.boot(s.demo)
  const first = numberOf()
  await s.cloud.boot(s.demo, { flavorRef: 'f' })
  assert.ok(Number.isInteger(first) && Number.isInteger(numberOf()))
  assert.notEqual(numberOf(), first)
  s.old.length = 0
  await s.act(id, { resize: { flavorRef: '84' } })
  const prep = s.old.find(told => told.event_type === 'compute.instance.resize.prep.start')!.payload
  assert.equal(prep.instance_type_id, first)
  assert.ok(Number.isInteger(prep.new_instance_type_id) && prep.new_instance_type_id !== first)
  assert.equal(numberOf(), prep.new_instance_type_id)
})

test('a choice of hosts tells of the group, the host and the NUMA cells that were asked for', async () => {
  await using s = await listened({ set: ['compute.notify_scheduling=true'], hosts: ['h1', 'h2'] })
  const group = { name: 'g', policy: 'anti-affinity', rules: {} }
  const made = await s.cloud.api<{ server_group: { id: string } }>(s.demo, 'POST', '/os-server-groups', {
    server_group: group,
  })
  const flavor = { name: 'numa', id: 'numa', ram: 128, vcpus: 2, disk: 1 }
  await s.cloud.api(s.admin, 'POST', '/flavors', { flavor })
  await s.cloud.api(s.admin, 'POST', '/flavors/numa/os-extra_specs', { extra_specs: { 'hw:numa_nodes': '2' } })
  s.versioned.length = 0
  const hints = { 'os:scheduler_hints': { group: made.body.server_group.id } }
  const body = { server: s.cloud.newServer({ flavorRef: 'numa' }), ...hints }
  const { server } = (await s.cloud.api<{ server: { id: string } }>(s.demo, 'POST', '/servers', body)).body
  await s.cloud.env.sagas.idle()
  const told = s.versioned.find(one => one.event_type === 'scheduler.select_destinations.start')!
  const { instance_group, numa_topology, pci_requests, requested_destination } = told.payload['nova_object.data']
  const dataOf = (object: unknown) => (object as Told['payload'])['nova_object.data']
  assert.deepEqual(
    [dataOf(instance_group).uuid, dataOf(instance_group).policy],
    [made.body.server_group.id, 'anti-affinity'],
  )
  const { cells, instance_uuid } = dataOf(numa_topology)
  assert.equal(instance_uuid, server.id)
  assert.deepEqual(
    (cells as unknown[]).map(dataOf).map(cell => [cell.id, cell.cpuset, cell.memory, cell.pagesize, cell.cpu_policy]),
    [
      [0, [0], 64, null, null],
      [1, [1], 64, null, null],
    ],
  )
  assert.deepEqual(dataOf(pci_requests), { instance_uuid: server.id, requests: [] })
  assert.equal(requested_destination, null)
})

test('a named host is told as the destination', async () => {
  await using s = await listened({ set: ['compute.notify_scheduling=true'], hosts: ['h1', 'h2'] })
  const { id } = await s.cloud.boot(s.demo)
  const to = (await s.cloud.row(id)).host === 'h1' ? 'h2' : 'h1'
  s.versioned.length = 0
  await s.act(id, { 'os-migrateLive': { host: to, block_migration: 'auto' } }, s.admin)
  const told = s.versioned.find(one => one.event_type === 'scheduler.select_destinations.start')!
  const asked = told.payload['nova_object.data'].requested_destination as Told['payload']
  assert.equal(asked['nova_object.data'].host, to)
})

test('disks that are volumes are told where the configuration wants it', async () => {
  await using s = await listened({ set: ['compute.notify_block_devices=true'], volumes: true })
  const { id } = await s.cloud.boot(s.demo)
  const volume = await s.cloud.volumes.put(s.cloud.ctx(), { project_id: s.demo.id })
  const path = `/servers/${id}/os-volume_attachments`
  const attached = await s.cloud.api(s.demo, 'POST', path, { volumeAttachment: { volumeId: volume.id, tag: 'data' } })
  assert.equal(attached.status, 202)
  await s.cloud.env.sagas.idle()
  await s.act(id, { pause: null })
  const devices = s.versioned.at(-1)!.payload['nova_object.data'].block_devices as Told['payload'][]
  assert.deepEqual(
    devices.map(device => device['nova_object.data']),
    [{ device_name: '/dev/vdb', boot_index: null, delete_on_termination: false, volume_id: volume.id, tag: 'data' }],
  )
})

test('what fails beside the actions of servers is a compute.exception', async () => {
  await using s = await listened({ faults: { h1: [{ method: 'detachNic', error: 'the guest does not let go' }] } })
  const { id } = await s.cloud.boot(s.demo)
  const { body } = await s.cloud.api<{ interfaceAttachments: { port_id: string }[] }>(
    s.demo,
    'GET',
    `/servers/${id}/os-interface`,
  )
  s.versioned.length = 0
  s.old.length = 0
  const port = `/network/v2.0/ports/${body.interfaceAttachments[0]!.port_id}`
  const deleted = await s.cloud.request('DELETE', port, { token: s.demo.token })
  assert.equal(deleted.status, 204)
  await s.cloud.env.sagas.idle()
  const [told, ...more] = s.versioned.filter(one => one.priority === 'ERROR')
  assert.deepEqual([told?.event_type, told?.publisher_id, more], ['compute.exception', 'nova-compute:conductor', []])
  assert.match(String(told!.payload['nova_object.data'].exception_message), /does not let go/)
  assert.equal(told!._context_request_id, deleted.headers['x-openstack-request-id'])
})

test('the configuration chooses the formats', async () => {
  await using s = await listened({ set: ['events.notification_format=unversioned'] })
  await s.cloud.boot(s.demo)
  assert.deepEqual([s.names(), s.oldNames().length], [[], 2])
})

test('whoever reads the log as notifications finds every event in the one envelope', async () => {
  await using s = await listened()
  const { id } = await s.cloud.boot(s.demo)
  // Of these the versioned format knows nothing, or the old one.
  await s.act(id, { injectNetworkInfo: null }, s.admin)
  await s.act(id, { lock: null })
  for (const format of ['versioned', 'unversioned']) {
    const { body } = await s.cloud.request<{ events: Record<string, unknown>[] }>(
      'GET',
      `/event/v1/events?format=${format}&limit=1000`,
      { token: s.admin.token },
    )
    const types = body.events.map(one => one.event_type)
    assert.ok(types.includes('compute.instance.inject_network_info.end') && types.includes('instance.lock'), format)
    for (const one of body.events)
      for (const member of ['message_id', 'publisher_id', 'timestamp', 'priority', 'event_type', 'payload'])
        assert.ok(one[member] !== undefined, `${format}: ${member} of ${one.event_type}`)
  }
})
