/** Stories of those who listen to what changes in networks: Neutron's names and payloads, in the envelope of all events. */
import assert from 'node:assert/strict'
import type { Notification } from '#kernel/events/notification.ts'
import { onEachEngine } from '../../../test/engines.ts'
import { networkCloud, networkWithSubnet } from './fixtures/cloud.ts'

onEachEngine('who changes a network is told of with a start and an end', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const heard: Notification[] = []
  cloud.env.bus.subscribe('notifications.*', told => void heard.push(told as Notification))
  const names = () => heard.splice(0).map(told => told.event_type)
  const phases = (...changes: string[]) => changes.flatMap(change => [`${change}.start`, `${change}.end`])

  const network = await demo.create('networks', { name: 'n1' })
  const [start, end] = heard as [Notification, Notification]
  assert.deepEqual(names(), phases('network.create'))
  assert.deepEqual(
    [start.priority, start.publisher_id, start.payload],
    ['INFO', 'network.api', { network: { name: 'n1' } }],
  )
  assert.deepEqual(end.payload, { network })
  assert.deepEqual([end._context_user_id, end._context_project_id], ['demo', 'p-demo'])
  await demo.update('networks', network.id, { name: 'n2' })
  assert.deepEqual(
    heard.map(told => [(told.payload.network as { name: string }).name, told.payload.id]),
    [
      ['n2', network.id],
      ['n2', undefined],
    ],
  )
  assert.deepEqual(names(), phases('network.update'))

  await demo.request('POST', 'ports', { ports: [{ network_id: network.id }, { network_id: network.id }] })
  assert.deepEqual(names(), phases('port.create', 'port.create'))
  assert.equal((await demo.request('DELETE', `networks/${network.id}`)).status, 409)
  assert.deepEqual(names(), [], 'what is refused has changed nothing')
  for (const { id } of await demo.list('ports')) await demo.delete('ports', id)
  names()
  await demo.delete('networks', network.id)
  assert.deepEqual(
    heard.map(told => told.payload),
    [{ network_id: network.id }, { network_id: network.id }],
  )
  assert.deepEqual(names(), phases('network.delete'))
})

onEachEngine('a router that gets an interface and loses it is told of', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const { subnet } = await networkWithSubnet(demo)
  const router = await demo.create('routers', { name: 'r' })
  const heard: Notification[] = []
  cloud.env.bus.subscribe('notifications.*', told => void heard.push(told as Notification))
  for (const verb of ['add', 'remove'])
    await demo.request('PUT', `routers/${router.id}/${verb}_router_interface`, { subnet_id: subnet.id })
  assert.deepEqual(
    heard.map(({ event_type, payload }) => [event_type, (payload.router_interface as { subnet_id: string }).subnet_id]),
    [
      ['router.interface.create', subnet.id],
      ['router.interface.delete', subnet.id],
    ],
  )
})
