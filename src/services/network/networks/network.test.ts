/** Networks, subnets and ports as their users work with them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { networkCloud, networkWithSubnet, refusal } from '../fixtures/cloud.ts'

onEachEngine('a network, its subnet and a port, from creation to deletion', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const network = await demo.create('networks', { name: 'n1', tags: ['blue'] })
  assert.deepEqual(
    [network.name, network.status, network.shared, network['router:external'], network.mtu, network.tags],
    ['n1', 'ACTIVE', false, false, 1450, ['blue']],
  )
  assert.equal(network.tenant_id, 'p-demo')
  assert.equal('provider:network_type' in network, false)
  const subnet = await demo.create('subnets', { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/24' })
  assert.equal(subnet.gateway_ip, '10.0.0.1')
  assert.deepEqual(subnet.allocation_pools, [{ start: '10.0.0.2', end: '10.0.0.254' }])
  const port = await demo.create('ports', { network_id: network.id, name: 'p1' })
  assert.match(port.mac_address, /^fa:16:3e:/)
  assert.match(port.fixed_ips[0].ip_address, /^10\.0\.0\.\d+$/)
  assert.equal(port.security_groups.length, 1)
  assert.equal('binding:host_id' in port, false)
  const dhcp = (await demo.list('ports', 'device_owner=network:dhcp'))[0]
  assert.deepEqual([dhcp.network_id, dhcp.fixed_ips[0].ip_address], [network.id, '10.0.0.2'])
  assert.equal(await refusal(demo.request('DELETE', `networks/${network.id}`)), '409 NetworkInUse')
  assert.equal(await refusal(demo.request('DELETE', `subnets/${subnet.id}`)), '409 SubnetInUse')
  await demo.delete('ports', port.id)
  await demo.delete('networks', network.id)
  assert.deepEqual(await demo.list('ports'), [])
  assert.equal(await refusal(demo.request('GET', `networks/${network.id}`)), '404 NetworkNotFound')
})

test('the provider members are the administrator’s', async () => {
  await using cloud = await networkCloud()
  const { demo, admin } = cloud
  const { network } = await networkWithSubnet(demo)
  const seen = await admin.show('networks', network.id)
  assert.deepEqual([seen['provider:network_type'], seen['provider:segmentation_id']], ['vxlan', 1])
  const refused = await demo.request('POST', 'networks', { network: { 'provider:network_type': 'vxlan' } })
  assert.equal(refused.status, 403)
  assert.equal(
    refused.body.NeutronError.message,
    '(rule:create_network and rule:create_network:provider:network_type) is disallowed by policy',
  )
})
