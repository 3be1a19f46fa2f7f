/** Routers, their interfaces, gateways and routes, as users work with them. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import {
  externalNetwork,
  interfaceOf,
  networkCloud,
  networkWithSubnet,
  refusal,
  routedPort,
  type Shown,
} from '../fixtures/cloud.ts'

onEachEngine('a router joins subnets and leads outside', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, admin } = cloud
  const outside = await externalNetwork(admin)
  const { subnet } = await networkWithSubnet(demo)
  const router = await demo.create('routers', { name: 'r1' })
  assert.deepEqual(
    [router.status, router.admin_state_up, router.external_gateway_info, router.routes, router.tenant_id],
    ['ACTIVE', true, null, [], 'p-demo'],
  )
  assert.equal('ha' in router || 'distributed' in router, false)
  const added = await interfaceOf(demo, 'add', router.id, { subnet_id: subnet.id })
  assert.deepEqual(added.body, {
    id: router.id,
    tenant_id: 'p-demo',
    project_id: 'p-demo',
    port_id: added.body.port_id,
    network_id: subnet.network_id,
    subnet_id: subnet.id,
    subnet_ids: [subnet.id],
  })
  const port = await demo.show('ports', added.body.port_id)
  assert.deepEqual(
    [port.device_owner, port.device_id, port.fixed_ips[0].ip_address, port.security_groups],
    ['network:router_interface', router.id, subnet.gateway_ip, []],
  )
  const led = await demo.update('routers', router.id, { external_gateway_info: { network_id: outside.id } })
  const { external_fixed_ips, ...gateway } = led.external_gateway_info
  assert.deepEqual(gateway, { network_id: outside.id, enable_snat: true, qos_policy_id: null })
  assert.match(external_fixed_ips[0].ip_address, /^203\.0\.113\./)
  assert.deepEqual(await demo.list('ports', 'device_owner=network:router_gateway'), [])
  const [gatewayPort] = await admin.list('ports', 'device_owner=network:router_gateway')
  assert.deepEqual([gatewayPort.project_id, gatewayPort.device_id], ['', router.id])

  assert.equal(await refusal(demo.request('DELETE', `routers/${router.id}`)), '409 RouterInUse')
  assert.equal(await refusal(demo.request('DELETE', `ports/${port.id}`)), '409 ServicePortInUse')
  assert.equal(await refusal(demo.request('DELETE', `subnets/${subnet.id}`)), '409 SubnetInUse')
  const removed = await interfaceOf(demo, 'remove', router.id, { port_id: port.id })
  assert.deepEqual([removed.status, removed.body.subnet_ids], [200, [subnet.id]])
  const cleared = await demo.update('routers', router.id, { external_gateway_info: {} })
  assert.equal(cleared.external_gateway_info, null)
  await demo.update('routers', router.id, { external_gateway_info: { network_id: outside.id } })
  await demo.delete('routers', router.id)
  assert.deepEqual(await admin.list('ports', `device_id=${router.id}`), [])
})

onEachEngine('an interface is refused where it would not work', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other, admin } = cloud
  const { subnet, network } = await networkWithSubnet(demo)
  const { subnet: same } = await networkWithSubnet(demo, '10.1.0.128/25')
  const { subnet: bare } = await networkWithSubnet(demo, '10.2.0.0/24', { gateway_ip: null })
  const router = await demo.create('routers', {})
  const add = (what: Record<string, unknown>) => refusal(interfaceOf(demo, 'add', router.id, what))
  const message = async (what: Record<string, unknown>) =>
    (await interfaceOf(demo, 'add', router.id, what)).body.NeutronError.message
  assert.equal(await message({}), 'Bad router request: Either subnet_id or port_id must be specified.')
  assert.equal(
    await message({ subnet_id: subnet.id, port_id: subnet.id }),
    'Bad router request: Cannot specify both subnet-id and port-id.',
  )
  assert.equal(
    await message({ subnet_id: bare.id }),
    'Bad router request: Subnet for router interface must have a gateway IP.',
  )
  await interfaceOf(demo, 'add', router.id, { subnet_id: subnet.id })
  assert.equal(
    await message({ subnet_id: subnet.id }),
    `Bad router request: Router already has a port on subnet ${subnet.id}.`,
  )
  assert.equal(
    await message({ subnet_id: same.id }),
    `Bad router request: Cidr 10.1.0.128/25 of subnet ${same.id} overlaps with cidr 10.1.0.0/24 of subnet ${subnet.id}.`,
  )
  assert.equal(await add({ subnet_id: '6d6a7d5e-0000-4000-8000-000000000000' }), '404 SubnetNotFound')
  const used = await demo.create('ports', { network_id: network.id, device_id: 'something' })
  assert.equal(await add({ port_id: used.id }), '409 PortInUse')
  const empty = await demo.create('ports', { network_id: network.id, fixed_ips: [] })
  assert.equal(await message({ port_id: empty.id }), 'Bad router request: Router port must have at least one fixed IP.')

  assert.equal(await refusal(interfaceOf(other, 'add', router.id, { subnet_id: subnet.id })), '404 RouterNotFound')
  const shared = await networkWithSubnet(admin, '10.9.0.0/24')
  await admin.update('networks', shared.network.id, { shared: true })
  assert.equal(
    await message({ subnet_id: shared.subnet.id }),
    `Bad router request: Cannot add interface to router because subnet ${shared.subnet.id} is not owned by project making the request.`,
  )
  const own = await demo.create('ports', { network_id: shared.network.id })
  assert.equal((await interfaceOf(demo, 'add', router.id, { port_id: own.id })).status, 200)
  const gone = 'b0b0b0b0-0000-4000-8000-000000000000'
  assert.equal(await refusal(interfaceOf(demo, 'remove', router.id, { port_id: gone })), '404 RouterInterfaceNotFound')
  assert.equal(
    await refusal(interfaceOf(demo, 'remove', router.id, { subnet_id: same.id })),
    '404 RouterInterfaceNotFoundForSubnet',
  )
})

onEachEngine('the IPv6 subnets of a network share one interface', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const { network, subnet } = await networkWithSubnet(demo)
  const sixth = (cidr: string) => demo.create('subnets', { network_id: network.id, ip_version: 6, cidr })
  const [one, two] = [await sixth('fd00:1::/64'), await sixth('fd00:2::/64')]
  const router = await demo.create('routers', {})
  const ports: string[] = []
  for (const { id } of [subnet, one, two])
    ports.push((await interfaceOf(demo, 'add', router.id, { subnet_id: id })).body.port_id)
  assert.notEqual(ports[0], ports[1])
  assert.equal(ports[1], ports[2])
  await interfaceOf(demo, 'remove', router.id, { subnet_id: one.id })
  const left = await demo.show('ports', ports[2]!)
  assert.deepEqual(
    left.fixed_ips.map((ip: Shown) => ip.ip_address),
    ['fd00:2::1'],
  )
})

onEachEngine('extra routes lead to neighbours only, and keep their interface', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, admin } = cloud
  const { router, subnet } = await routedPort(demo, admin)
  const route = (destination: string, nexthop: string) => ({ destination, nexthop })
  const put = (routes: object[]) => demo.request('PUT', `routers/${router.id}`, { router: { routes } })
  const far = await put([route('10.50.0.0/16', '10.77.0.5')])
  assert.equal(far.body.NeutronError.type, 'InvalidRoutes')
  assert.match(far.body.NeutronError.message, /the nexthop is not connected with router\.$/)
  assert.match((await put([route('10.50.0.0/16', '10.1.0.1')])).body.NeutronError.message, /used by router\.$/)
  assert.deepEqual((await put([route('10.50.0.0/16', '10.1.0.9')])).body.router.routes, [
    route('10.50.0.0/16', '10.1.0.9'),
  ])
  const atomic = (verb: string, routes: object[]) =>
    demo.request('PUT', `routers/${router.id}/${verb}_extraroutes`, { router: { routes } })
  const more = await atomic('add', [route('10.51.0.0/16', '203.0.113.1'), route('10.50.0.0/16', '10.1.0.9')])
  assert.equal(more.body.router.routes.length, 2)
  assert.equal(
    await refusal(interfaceOf(demo, 'remove', router.id, { subnet_id: subnet.id })),
    '409 RouterInterfaceInUseByRoute',
  )
  assert.equal(
    await refusal(demo.request('PUT', `routers/${router.id}`, { router: { external_gateway_info: null } })),
    '400 InvalidRoutes',
  )
  const less = await atomic('remove', [route('10.51.0.0/16', '203.0.113.1'), route('9.9.9.0/24', '10.1.0.9')])
  assert.deepEqual(less.body.router.routes, [route('10.50.0.0/16', '10.1.0.9')])
  await demo.update('routers', router.id, { external_gateway_info: null, routes: [] })
})

onEachEngine('the gateway’s address and translation are the administrator’s to choose', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, admin } = cloud
  const outside = await externalNetwork(admin)
  const { network: inside } = await networkWithSubnet(demo)
  const router = await demo.create('routers', {})
  const gateway = (who: typeof demo, info: object) =>
    who.request('PUT', `routers/${router.id}`, { router: { external_gateway_info: info } })
  assert.equal(await refusal(gateway(demo, { network_id: inside.id })), '400 BadRequest')
  assert.equal(await refusal(gateway(demo, { network_id: outside.id, enable_snat: false })), '403 PolicyNotAuthorized')
  const certain = { network_id: outside.id, external_fixed_ips: [{ ip_address: '203.0.113.77' }] }
  assert.equal(await refusal(gateway(demo, certain)), '403 PolicyNotAuthorized')
  const own = { network_id: outside.id, external_fixed_ips: [{ ip_address: '203.0.113.1' }] }
  assert.equal(
    (await gateway(admin, own)).body.NeutronError.message,
    'Bad router request: External IP 203.0.113.1 is the same as the gateway IP.',
  )
  const set = await gateway(admin, { ...certain, enable_snat: false })
  assert.deepEqual(
    [
      set.body.router.external_gateway_info.enable_snat,
      set.body.router.external_gateway_info.external_fixed_ips[0].ip_address,
    ],
    [false, '203.0.113.77'],
  )
  const second = await externalNetwork(admin, '198.51.100.0/24', 'second')
  const moved = await gateway(demo, { network_id: second.id })
  assert.match(moved.body.router.external_gateway_info.external_fixed_ips[0].ip_address, /^198\.51\.100\./)
  assert.equal((await admin.list('ports', 'device_owner=network:router_gateway')).length, 1)
  assert.equal(
    await refusal(admin.request('PUT', `networks/${second.id}`, { network: { 'router:external': false } })),
    '409 ExternalNetworkInUse',
  )
  const spread = await admin.request('POST', 'routers', { router: { distributed: true } })
  assert.equal(spread.status, 400)
  assert.deepEqual(
    await Promise.all(
      ['ha', 'distributed'].map(name => refusal(demo.request('POST', 'routers', { router: { [name]: true } }))),
    ),
    ['403 PolicyNotAuthorized', '403 PolicyNotAuthorized'],
  )
})

onEachEngine('nobody holds up or changes another project’s router by naming ports after it', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other } = cloud
  const { network } = await networkWithSubnet(other, '10.66.0.0/24')
  const router = await demo.create('routers', {})
  const port = await other.create('ports', { network_id: network.id, device_id: router.id })
  const claim = { port: { device_owner: 'network:router_interface' } }
  assert.equal(await refusal(other.request('PUT', `ports/${port.id}`, claim)), '409 DeviceIDNotOwnedByTenant')
  const wish = { port: { network_id: network.id, device_id: router.id, device_owner: 'network:router_interface' } }
  assert.equal(await refusal(other.request('POST', 'ports', wish)), '409 DeviceIDNotOwnedByTenant')
  const routes = [{ destination: '10.70.0.0/16', nexthop: '10.66.0.9' }]
  assert.equal(await refusal(demo.request('PUT', `routers/${router.id}`, { router: { routes } })), '400 InvalidRoutes')
  await demo.delete('routers', router.id)
})
