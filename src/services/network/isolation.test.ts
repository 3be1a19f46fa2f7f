/** Projects neither see nor touch each other's things; readers change nothing; what is shared is used but not owned. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../test/engines.ts'
import {
  type Caller,
  interfaceOf,
  type NetworkCloud,
  networkCloud,
  networkWithSubnet,
  refusal,
  routedPort,
} from './fixtures/cloud.ts'

/** One of each kind, of the first project: collection, id, error type when it is not there, and a change. */
async function oneOfEach({ demo, admin }: NetworkCloud) {
  const { outside, network, subnet, router, port } = await routedPort(demo, admin)
  const floating = await demo.create('floatingips', { floating_network_id: outside.id, port_id: port.id })
  const group = await demo.create('security-groups', { name: 'g' })
  const name = { name: 'mine' }
  return [
    ['networks', network.id, 'NetworkNotFound', { network: name }],
    ['subnets', subnet.id, 'SubnetNotFound', { subnet: name }],
    ['ports', port.id, 'PortNotFound', { port: name }],
    ['routers', router.id, 'RouterNotFound', { router: name }],
    ['floatingips', floating.id, 'FloatingIPNotFound', { floatingip: { port_id: null } }],
    ['security-groups', group.id, 'SecurityGroupNotFound', { security_group: name }],
    ['security-group-rules', group.security_group_rules[0].id, 'SecurityGroupRuleNotFound', undefined],
  ] as const
}

onEachEngine('another project’s things are not there', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other } = cloud
  const own = await oneOfEach(cloud)
  for (const [collection, id, error, change] of own) {
    const path = `${collection}/${id}`
    assert.deepEqual(
      (await other.list(collection)).map(one => one.id).filter(one => one === id),
      [],
      collection,
    )
    assert.deepEqual(await other.list(collection, `id=${id}`), [], collection)
    assert.equal(await refusal(other.request('GET', path)), `404 ${error}`)
    if (change) assert.equal(await refusal(other.request('PUT', path, change)), `404 ${error}`)
    assert.equal(await refusal(other.request('DELETE', path)), `404 ${error}`)
    for (const [method, tag, body] of [
      ['GET', '', undefined],
      ['PUT', '', { tags: ['x'] }],
      ['POST', '', { tags: ['x'] }],
      ['DELETE', '', undefined],
      ['GET', '/x', undefined],
      ['PUT', '/x', undefined],
      ['DELETE', '/x', undefined],
    ] as const)
      assert.equal(
        await refusal(other.request(method, `${path}/tags${tag}`, body)),
        `404 ${error}`,
        `${method} ${path}/tags`,
      )
    assert.equal((await demo.show(collection, id)).id, id)
  }
  const router = own.find(([collection]) => collection === 'routers')![1]
  const mine = await networkWithSubnet(other, '10.99.0.0/24')
  for (const verb of ['add', 'remove'] as const) {
    assert.equal(await refusal(interfaceOf(other, verb, router, { subnet_id: mine.subnet.id })), '404 RouterNotFound')
    const routes = { router: { routes: [] } }
    assert.equal(
      await refusal(other.request('PUT', `routers/${router}/${verb}_extraroutes`, routes)),
      '404 RouterNotFound',
    )
  }
})

onEachEngine('nothing is made of another project’s things, or in its name', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other } = cloud
  const { network, subnet } = await networkWithSubnet(demo)
  const group = await demo.create('security-groups', { name: 'g' })
  const mine = await networkWithSubnet(other, '10.99.0.0/24')
  const post = (path: string, body: object) => refusal(other.request('POST', path, body))
  assert.equal(await post('ports', { port: { network_id: network.id } }), '404 NetworkNotFound')
  const range = { network_id: network.id, ip_version: 4, cidr: '10.5.0.0/24' }
  assert.equal(await post('subnets', { subnet: range }), '404 NetworkNotFound')
  const port = { network_id: mine.network.id, security_groups: [group.id] }
  assert.equal(await post('ports', { port }), '404 SecurityGroupNotFound')
  const fixed_ips = [{ subnet_id: subnet.id }]
  assert.match(await post('ports', { port: { network_id: mine.network.id, fixed_ips } }), /^400 /)
  for (const [collection, member] of [
    ['networks', 'network'],
    ['routers', 'router'],
    ['security-groups', 'security_group'],
  ] as const)
    assert.equal(await post(collection, { [member]: { project_id: 'p-demo' } }), '400 HTTPBadRequest', collection)
  const router = await other.create('routers', {})
  assert.equal(await refusal(interfaceOf(other, 'add', router.id, { subnet_id: subnet.id })), '404 SubnetNotFound')
  const gateway = { router: { external_gateway_info: { network_id: network.id } } }
  assert.equal(await refusal(other.request('PUT', `routers/${router.id}`, gateway)), '404 NetworkNotFound')
  assert.deepEqual(await demo.list('networks', 'project_id=p-demo&name='), [])
})

onEachEngine('readers read and change nothing', async database => {
  await using cloud = await networkCloud({ database })
  const { reader } = cloud
  for (const [collection, id, , change] of await oneOfEach(cloud)) {
    assert.equal((await reader.show(collection, id)).id, id)
    if (change)
      assert.equal(await refusal(reader.request('PUT', `${collection}/${id}`, change)), '403 PolicyNotAuthorized')
    assert.equal(await refusal(reader.request('DELETE', `${collection}/${id}`)), '403 PolicyNotAuthorized')
  }
  assert.equal(await refusal(reader.request('POST', 'networks', { network: {} })), '403 PolicyNotAuthorized')
  assert.equal(await refusal(reader.request('POST', 'routers', { router: {} })), '403 PolicyNotAuthorized')
})

onEachEngine('a shared network is used by all and changed by its owner', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other, admin } = cloud
  const { network, subnet } = await networkWithSubnet(admin)
  assert.equal(
    await refusal(demo.request('PUT', `networks/${network.id}`, { network: { shared: true } })),
    '404 NetworkNotFound',
  )
  await admin.update('networks', network.id, { shared: true })
  assert.equal((await demo.show('subnets', subnet.id)).cidr, subnet.cidr)
  for (const [path, body] of [
    [`networks/${network.id}`, { network: { name: 'mine' } }],
    [`subnets/${subnet.id}`, { subnet: { name: 'mine' } }],
  ] as const) {
    assert.equal(await refusal(demo.request('PUT', path, body)), '404 HTTPNotFound')
    assert.equal(await refusal(demo.request('DELETE', path)), '404 HTTPNotFound')
  }
  const range = { network_id: network.id, ip_version: 4, cidr: '10.5.0.0/24' }
  assert.equal(await refusal(demo.request('POST', 'subnets', { subnet: range })), '403 PolicyNotAuthorized')
  const port = await demo.create('ports', { network_id: network.id })
  const refused = async (who: Caller, values: object) =>
    refusal(who.request('POST', 'ports', { port: { network_id: network.id, ...values } }))
  const own = '403 PolicyNotAuthorized'
  assert.equal(await refused(demo, { mac_address: 'fa:16:3e:00:00:01' }), own)
  assert.equal(await refused(demo, { fixed_ips: [{ ip_address: '10.1.0.9' }] }), own)
  assert.equal(await refused(demo, { port_security_enabled: false }), own)
  assert.equal(await refused(demo, { allowed_address_pairs: [{ ip_address: '10.1.0.1' }] }), own)
  assert.equal(await refused(demo, { device_owner: 'network:dhcp' }), own)
  assert.equal(await refused(demo, { 'binding:host_id': 'h1' }), own)
  assert.equal(await refusal(other.request('GET', `ports/${port.id}`)), '404 PortNotFound')
  assert.equal((await admin.show('ports', port.id)).id, port.id)
  const unshare = admin.request('PUT', `networks/${network.id}`, { network: { shared: false } })
  assert.equal(await refusal(unshare), '409 InvalidSharedSetting')
})

onEachEngine('what the administrator alone may see or do', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const { network } = await networkWithSubnet(demo)
  const port = await demo.create('ports', { network_id: network.id })
  for (const name of ['binding:host_id', 'binding:profile', 'binding:vif_type', 'binding:vif_details'])
    assert.equal(name in port, false, name)
  assert.deepEqual(await demo.list('agents'), [])
  assert.deepEqual(await demo.list('network-ip-availabilities'), [])
  assert.equal((await demo.request('GET', `network-ip-availabilities/${network.id}`)).status, 403)
  assert.equal((await demo.request('PUT', 'agents/any', { agent: {} })).status, 404)
  const [use] = await cloud.admin.list('network-ip-availabilities', `network_id=${network.id}`)
  assert.deepEqual([use.used_ips, use.total_ips, use.subnet_ip_availability[0].used_ips], [2, 253, 2])
})
