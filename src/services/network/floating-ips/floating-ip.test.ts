/** Floating IPs as users work with them. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import {
  type Caller,
  externalNetwork,
  interfaceOf,
  networkCloud,
  networkWithSubnet,
  refusal,
  routedPort,
} from '../fixtures/cloud.ts'

const put = (who: Caller, id: string, values: object) => who.request('PUT', `floatingips/${id}`, { floatingip: values })
const post = (who: Caller, values: object) => who.request('POST', 'floatingips', { floatingip: values })

onEachEngine('a floating IP is made, tied to a port, moved and freed', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, admin } = cloud
  const { outside, network, router, port } = await routedPort(demo, admin)
  const ip = await demo.create('floatingips', { floating_network_id: outside.id, description: 'web' })
  assert.match(ip.floating_ip_address, /^203\.0\.113\.\d+$/)
  assert.deepEqual(
    [ip.status, ip.port_id, ip.fixed_ip_address, ip.router_id, ip.port_details],
    ['DOWN', null, null, null, null],
  )
  const tied = await demo.update('floatingips', ip.id, { port_id: port.id })
  assert.deepEqual(
    [tied.port_id, tied.fixed_ip_address, tied.router_id, tied.port_details.name, tied.revision_number],
    [port.id, port.fixed_ips[0].ip_address, router.id, 'p', 2],
  )
  const described = await demo.update('floatingips', ip.id, { description: 'mail' })
  assert.deepEqual([described.port_id, described.description], [port.id, 'mail'])
  const second = await demo.create('ports', { network_id: network.id })
  assert.equal((await demo.update('floatingips', ip.id, { port_id: second.id })).port_id, second.id)
  assert.deepEqual(
    (await demo.list('floatingips', `port_id=${second.id}`)).map(one => one.id),
    [ip.id],
  )
  const freed = await demo.update('floatingips', ip.id, { port_id: null })
  assert.deepEqual([freed.port_id, freed.fixed_ip_address, freed.router_id], [null, null, null])
  await demo.delete('floatingips', ip.id)
  assert.deepEqual(await admin.list('ports', 'device_owner=network:floatingip'), [])
})

onEachEngine('a deleted port frees its floating IP, and keeps its address while it has one', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, admin } = cloud
  const { outside, subnet, port } = await routedPort(demo, admin)
  const ip = await demo.create('floatingips', { floating_network_id: outside.id, port_id: port.id })
  const moved = { port: { fixed_ips: [{ subnet_id: subnet.id, ip_address: '10.1.0.200' }] } }
  const kept = await demo.request('PUT', `ports/${port.id}`, moved)
  assert.deepEqual(
    [kept.status, kept.body.NeutronError.message],
    [
      400,
      `Bad port request: Cannot update the fixed_ips of the port ${port.id}, because its original fixed_ip has been associated to a floating ip.`,
    ],
  )
  await demo.delete('ports', port.id)
  const left = await demo.show('floatingips', ip.id)
  assert.deepEqual([left.port_id, left.router_id, left.status], [null, null, 'DOWN'])
})

onEachEngine('floating IPs that lead nowhere go with their network, others keep it', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, admin } = cloud
  const outside = await externalNetwork(admin, '198.51.100.0/24', 'public')
  await demo.create('floatingips', { floating_network_id: outside.id })
  await admin.delete('networks', outside.id)
  assert.deepEqual(await demo.list('floatingips'), [])
  assert.deepEqual(await admin.list('ports', 'device_owner=network:floatingip'), [])

  const routed = await routedPort(demo, admin)
  await demo.create('floatingips', { floating_network_id: routed.outside.id, port_id: routed.port.id })
  assert.equal(await refusal(admin.request('DELETE', `networks/${routed.outside.id}`)), '409 NetworkInUse')
})

onEachEngine('an association that could not work is refused', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other, admin } = cloud
  const { outside, network, subnet, router, port } = await routedPort(demo, admin)
  const ip = await demo.create('floatingips', { floating_network_id: outside.id })
  const message = async (values: object) => (await put(demo, ip.id, values)).body.NeutronError.message

  const lonely = await networkWithSubnet(demo, '10.8.0.0/24')
  const unreached = await demo.create('ports', { network_id: lonely.network.id })
  assert.equal(
    await message({ port_id: unreached.id }),
    `External network ${outside.id} is not reachable from subnet ${lonely.subnet.id}.  Therefore, cannot associate Port ${unreached.id} with a Floating IP.`,
  )
  const bare = await demo.create('ports', { network_id: network.id, fixed_ips: [] })
  assert.equal(
    await message({ port_id: bare.id }),
    `Bad floatingip request: Cannot add floating IP to port ${bare.id} that has no fixed IPv4 addresses.`,
  )
  const fixed_ips = [{ subnet_id: subnet.id }, { subnet_id: subnet.id }]
  const double = await demo.create('ports', { network_id: network.id, fixed_ips })
  assert.match(await message({ port_id: double.id }), /has multiple fixed IPv4 addresses\. {2}Must provide/)
  assert.equal(
    await message({ port_id: port.id, fixed_ip_address: '10.1.0.99' }),
    `Bad floatingip request: Port ${port.id} does not have fixed ip 10.1.0.99.`,
  )
  assert.equal(
    await message({ fixed_ip_address: '10.1.0.99' }),
    'Bad floatingip request: fixed_ip_address cannot be specified without a port_id.',
  )
  await put(demo, ip.id, { port_id: port.id })
  assert.equal(
    await refusal(post(demo, { floating_network_id: outside.id, port_id: port.id })),
    '409 FloatingIPPortAlreadyAssociated',
  )
  assert.equal(
    await refusal(demo.request('PUT', `routers/${router.id}`, { router: { external_gateway_info: null } })),
    '409 RouterExternalGatewayInUseByFloatingIp',
  )
  assert.equal(
    await refusal(interfaceOf(demo, 'remove', router.id, { subnet_id: subnet.id })),
    '409 RouterInterfaceInUseByFloatingIP',
  )
  const foreign = await other.create('floatingips', { floating_network_id: outside.id })
  assert.equal(await refusal(put(other, foreign.id, { port_id: port.id })), '404 PortNotFound')
  assert.equal((await demo.show('floatingips', ip.id)).port_id, port.id)
})

onEachEngine('an address is chosen by the administrator, and from networks that lead outside', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, admin } = cloud
  const outside = await externalNetwork(admin, '203.0.113.0/30')
  const { network } = await networkWithSubnet(demo)
  assert.equal(await refusal(post(demo, { floating_network_id: network.id })), '400 BadRequest')
  const gone = 'c0c0c0c0-0000-4000-8000-000000000000'
  assert.equal(await refusal(post(demo, { floating_network_id: gone })), '404 NetworkNotFound')
  const wish = { floating_network_id: outside.id, floating_ip_address: '203.0.113.2' }
  assert.equal(await refusal(post(demo, wish)), '403 PolicyNotAuthorized')
  assert.equal((await post(admin, wish)).body.floatingip.floating_ip_address, '203.0.113.2')
  assert.equal(await refusal(post(admin, wish)), '409 IpAddressInUse')
  assert.equal(await refusal(post(demo, { floating_network_id: outside.id })), '409 IpAddressGenerationFailure')
})

onEachEngine('floating IPs count against their quota', async database => {
  await using cloud = await networkCloud({ database, set: ['network.quota_floatingip=2'] })
  const { demo, other, admin } = cloud
  const outside = await externalNetwork(admin)
  const wish = { floating_network_id: outside.id }
  const answers = await Promise.all([1, 2, 3, 4].map(() => post(demo, wish)))
  assert.deepEqual(answers.map(answer => answer.status).sort(), [201, 201, 409, 409])
  assert.equal(
    answers.find(answer => answer.status === 409)!.body.NeutronError.message,
    "Quota exceeded for resources: ['floatingip'].",
  )
  assert.equal((await post(other, wish)).status, 201)
})
