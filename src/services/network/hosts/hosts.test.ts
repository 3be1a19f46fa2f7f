import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { networkWithSubnet } from '../fixtures/cloud.ts'
import { hostsCloud } from '../fixtures/hosts.ts'

const never = new AbortController().signal

onEachEngine('a port that is bound to a host is wired there, and then ACTIVE', async database => {
  await using cloud = await hostsCloud(['h1', 'h2'], { database })
  const { network } = await networkWithSubnet(cloud.demo)
  const port = await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  const nics = await cloud.env.services.network.wire(cloud.ctx(), 'web', 'h1', never)
  assert.deepEqual(nics, [{ port_id: port.id, mac: port.mac_address, mtu: network.mtu }])
  assert.equal((await cloud.demo.show('ports', port.id)).status, 'ACTIVE')
  const { applied } = cloud.hosts.h1!.plane
  assert.deepEqual(
    applied!.ports.map(({ id, mac, ips }) => [id, mac, ips[0]!.ip_address]),
    [[port.id, port.mac_address, port.fixed_ips[0]!.ip_address]],
  )
  assert.deepEqual(
    applied!.networks[0]!.leases.map(lease => lease.hostname),
    ['web'],
  )
  assert.deepEqual(cloud.hosts.h2!.plane.applied!.ports, [])
})

test('a port that is taken off its host is carried no more', async () => {
  await using cloud = await hostsCloud(['h1'])
  const { network } = await networkWithSubnet(cloud.demo)
  await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  await cloud.settle()
  assert.equal(cloud.hosts.h1!.plane.applied!.ports.length, 1)
  await cloud.env.services.network.unbindPorts(cloud.ctx(), 'web')
  await cloud.settle()
  const { ports, networks, security_groups } = cloud.hosts.h1!.plane.applied!
  assert.deepEqual([ports, networks, security_groups], [[], [], []])
})
