/** The networks that a new cloud begins with. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../test/engines.ts'
import { networkCloud } from './fixtures/cloud.ts'

const projects = { demo_project_id: 'p-demo', admin_project_id: 'p-admin' }

onEachEngine('a new cloud has an outside network, and a private one behind a router', async database => {
  await using cloud = await networkCloud({ database })
  const network = cloud.env.services.network
  await network.bootstrap(cloud.ctx(), projects)
  await network.bootstrap(cloud.ctx(), projects)
  const { demo, admin } = cloud
  const outside = (await demo.list('networks', 'name=public'))[0]
  assert.deepEqual(
    [outside['router:external'], outside.shared, outside.is_default, outside.mtu, outside.project_id],
    [true, false, true, 1500, 'p-admin'],
  )
  assert.equal((await admin.show('networks', outside.id))['provider:physical_network'], 'public')
  const [range] = await demo.list('subnets', `network_id=${outside.id}`)
  assert.deepEqual([range.cidr, range.gateway_ip, range.enable_dhcp], ['203.0.113.0/24', '203.0.113.1', false])
  assert.deepEqual(range.allocation_pools, [{ start: '203.0.113.2', end: '203.0.113.254' }])
  assert.deepEqual(network.physicalNetworks(cloud.env), { public: { host_address: '203.0.113.1/24', nat: true } })

  const routers = await demo.list('routers')
  assert.equal(routers.length, 1)
  assert.equal(routers[0].external_gateway_info.network_id, outside.id)
  const interfaces = await demo.list('ports', 'device_owner=network:router_interface')
  const addresses = interfaces.flatMap(port => port.fixed_ips.map((ip: { ip_address: string }) => ip.ip_address))
  assert.deepEqual(addresses.sort(), ['192.168.233.1', 'fd4e:6570:686f::1'])
  assert.equal((await demo.list('networks', 'name=private')).length, 1)
  assert.deepEqual(
    (await demo.list('security-groups')).map(group => group.name),
    ['default'],
  )
})

onEachEngine('a project’s server finds its network by itself', async database => {
  await using cloud = await networkCloud({ database })
  const network = cloud.env.services.network
  await network.bootstrap(cloud.ctx(), projects)
  const owner = { server_id: 's1', hostname: 'one', project_id: 'p-demo', availability_zone: 'nova' }
  const ports = await network.claimPorts(cloud.demo.ctx(), owner, 'auto', [])
  assert.deepEqual(
    ports.map(port => [port.network_name, port.fixed_ips.length]),
    [['private', 2]],
  )
  const floating = await cloud.demo.create('floatingips', {
    floating_network_id: (await cloud.demo.list('networks', 'name=public'))[0].id,
    port_id: ports[0]!.id,
  })
  assert.match(floating.floating_ip_address, /^203\.0\.113\.\d+$/)
  const [shown] = (await network.portsOf(cloud.demo.ctx(), ['s1'])).get('s1')!
  assert.deepEqual(shown!.floating_ips, [floating.floating_ip_address])
})

onEachEngine('what users deleted of the first networks stays away', async database => {
  await using cloud = await networkCloud({ database })
  const network = cloud.env.services.network
  await network.bootstrap(cloud.ctx(), projects)
  const { demo } = cloud
  const [router] = await demo.list('routers')
  for (const port of await demo.list('ports', 'device_owner=network:router_interface'))
    await demo.request('PUT', `routers/${router.id}/remove_router_interface`, { port_id: port.id })
  await demo.delete('routers', router.id)
  await demo.delete('networks', (await demo.list('networks', 'name=private'))[0].id)
  await network.bootstrap(cloud.ctx(), projects)
  assert.deepEqual(
    (await demo.list('networks')).map(one => one.name),
    ['public'],
  )
})
