/** What guests are told of their networks by their agents. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkCloud, networkWithSubnet } from './fixtures/cloud.ts'

test('a NIC that is set up anew has what DHCP says: its address, its routes, and the way to the metadata', async () => {
  await using cloud = await networkCloud()
  const { demo } = cloud
  const host_routes = [{ destination: '10.9.0.0/16', nexthop: '10.1.0.9' }]
  const { network } = await networkWithSubnet(demo, '10.1.0.0/24', { host_routes })
  const quiet = await networkWithSubnet(demo, '10.2.0.0/24', { enable_dhcp: false })
  const [dhcp] = await demo.list('ports', 'device_owner=network:dhcp')
  const owner = { server_id: 'server', hostname: 'vm', project_id: 'p-demo', availability_zone: 'nova' }
  const wanted = [{ network_id: network.id }, { network_id: quiet.network.id }]
  const contract = cloud.env.services.network
  const [one] = await contract.claimPorts(demo.ctx(), owner, wanted, [])
  const [first, second] = await contract.nicSettings(cloud.ctx(), 'server')
  assert.deepEqual(first, {
    ...{ mac: one!.mac_address, mtu: network.mtu },
    addresses: [{ address: one!.fixed_ips[0]!.ip_address, prefix: 24 }],
    routes: [
      { to: '169.254.169.254/32', via: dhcp.fixed_ips[0].ip_address },
      { to: '10.9.0.0/16', via: '10.1.0.9' },
      { to: 'default', via: '10.1.0.1' },
    ],
  })
  assert.deepEqual(second!.routes, [{ to: 'default', via: '10.2.0.1' }])
})
